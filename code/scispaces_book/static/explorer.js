/* Moves the pictures of explorers. No framework, no network beyond one script file an explorer.

   A picture is a tree of SVG elements; what changes between pictures is stored by column, as
   scispaces.explore.columns describes. Everything up to `page` is pure and tested by itself. */

"use strict";

const scispaces = (() => {
  /* Integers of the stream: zigzag, seven bits a byte, last byte below 128. */
  function integers(bytes) {
    const values = new Int32Array(bytes.length);
    let count = 0;
    for (let at = 0; at < bytes.length; ) {
      let value = 0;
      let scale = 1;
      let byte;
      do {
        byte = bytes[at++];
        value += (byte & 127) * scale;
        scale *= 128;
      } while (byte > 127);
      values[count++] = value % 2 ? -(value + 1) / 2 : value / 2;
    }
    return values.subarray(0, count);
  }

  /* Undo differences in place. `values` holds, for each of `width` numbers, all stops of `shape`. */
  function sum(values, shape, width, axes) {
    const stops = shape.reduce((a, b) => a * b, 1);
    for (const axis of axes) {
      if (axis === shape.length) {
        for (let i = 2 * stops; i < width * stops; i++) values[i] += values[i - 2 * stops];
        continue;
      }
      const stride = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
      for (let i = 0; i < width * stops; i++) {
        if (Math.floor(i / stride) % shape[axis]) values[i] += values[i - stride];
      }
    }
    return values;
  }

  /* A geometric attribute: literals, each followed by a run of numbers in 0.01 px. */
  function written(template, number) {
    let text = "";
    let at = 0;
    for (let i = 0; i < template.length; i += 2) {
      text += template[i];
      for (let k = 0; k < template[i + 1]; k++) text += (k ? " " : "") + number(at++) / 100;
    }
    return text;
  }

  function numbersIn(template) {
    let count = 0;
    for (let i = 1; i < template.length; i += 2) count += template[i];
    return count;
  }

  /* Return for each column a function from stop to value; null means no such attribute. */
  function readColumns(frames, stream) {
    const stops = frames.shape.reduce((a, b) => a * b, 1);
    let at = 0;
    const take = (count) => stream.subarray(at, (at += count));
    return frames.columns.map(([, , kind, choices, axes]) => {
      if (kind === "numbers") {
        const width = numbersIn(choices);
        const values = sum(take(width * stops), frames.shape, width, axes);
        return (stop) => written(choices, (k) => values[k * stops + stop]);
      }
      const chosen = sum(take(stops), frames.shape, 1, axes);
      if (kind === "choice") return (stop) => choices[chosen[stop]];
      const runs = Array.from(chosen, (choice) => {
        const run = take(numbersIn(choices[choice]));
        for (let i = 2; i < run.length; i++) run[i] += run[i - 2];
        return run;
      });
      return (stop) => written(choices[chosen[stop]], (k) => runs[stop][k]);
    });
  }

  /* Number of the stop, given the index of each control. */
  function stopOf(indices, shape) {
    return indices.reduce((stop, index, axis) => stop * shape[axis] + index, 0);
  }

  /* "#fig-name?n=3&tau=0.5" as [name, {n: "3", tau: "0.5"}]. */
  function readFragment(hash) {
    const [name, query = ""] = hash.replace(/^#/, "").split("?");
    return [name, Object.fromEntries(new URLSearchParams(query))];
  }

  function writeFragment(name, state) {
    return `#${name}?${new URLSearchParams(state)}`;
  }

  const pure = { integers, sum, written, readColumns, stopOf, readFragment, writeFragment };
  if (typeof document === "undefined") return pure;

  /* --- page --------------------------------------------------------------------------------- */

  const SVG = "http://www.w3.org/2000/svg";
  const explorers = new Map();

  function localised(name, value, prefix) {
    if (name === "id") return prefix + value;
    if (name === "href") return value.replace(/^#/, `#${prefix}`);
    return value.replace("url(#", `url(#${prefix}`);
  }

  function setAttribute(element, name, value, prefix) {
    if (name === "#") element.textContent = value;
    else if (value === null) element.removeAttribute(name);
    else element.setAttribute(name, localised(name, value, prefix));
  }

  /* Build the elements of a tree, listing them in document order. */
  function build([tag, attributes, children], prefix, elements) {
    const element = document.createElementNS(SVG, tag);
    elements.push(element);
    for (const [name, value] of Object.entries(attributes)) {
      setAttribute(element, name, value, prefix);
    }
    for (const child of children) element.append(build(child, prefix, elements));
    return element;
  }

  async function inflate(base64) {
    const packed = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  class Explorer {
    constructor(form) {
      this.form = form;
      this.figure = form.closest("figure");
      this.name = form.querySelector("[id]").id.split("--")[0];
      this.picture = this.figure.querySelector(".explorer-picture");
      this.fields = [...form.querySelectorAll("input, select")];
      this.show = null;
      this.timer = null;
      form.addEventListener("input", () => this.update());
      form.addEventListener("change", () => this.remember());
      form.addEventListener("submit", (event) => event.preventDefault());
      form.addEventListener("reset", (event) => {
        event.preventDefault();
        this.pause();
        this.setIndices(this.fields.map((field) => Number(field.dataset.default)));
        this.remember();
      });
      for (const button of form.querySelectorAll(".explorer-play")) {
        const field = button.parentElement.querySelector("input");
        button.addEventListener("click", () => (this.timer ? this.pause() : this.play(field, button)));
      }
    }

    load() {
      if (this.script) return;
      this.script = document.createElement("script");
      this.script.src = this.form.dataset.frames;
      document.head.append(this.script);
    }

    /* Called by the frames file. */
    async receive(frames) {
      if (frames.images) {
        const image = new Image();
        image.alt = "";
        this.show = (stop) => {
          image.src = frames.images[stop];
          if (!image.isConnected) this.picture.replaceChildren(image);
        };
      } else {
        const values = readColumns(frames, integers(await inflate(frames.data)));
        const elements = [];
        const prefix = `${this.name}-`;
        const svg = build(frames.tree, prefix, elements);
        const shown = new Array(values.length).fill(undefined);
        this.show = (stop) => {
          frames.columns.forEach(([node, name], column) => {
            const value = values[column](stop);
            if (value === shown[column]) return;
            shown[column] = value;
            setAttribute(elements[node], name, value, prefix);
          });
          if (!svg.isConnected) this.picture.replaceChildren(svg);
        };
      }
      this.shape = frames.shape;
      this.figure.dataset.ready = "";
      this.update();
    }

    indices() {
      return this.fields.map((field) =>
        field.type === "checkbox" ? Number(field.checked) : Number(field.value),
      );
    }

    setIndices(indices) {
      this.fields.forEach((field, i) => {
        if (field.type === "checkbox") field.checked = indices[i] === 1;
        else field.value = indices[i];
      });
      this.update();
    }

    texts(field) {
      if (field.type === "checkbox") return ["0", "1"];
      if (field.type === "range") return JSON.parse(field.dataset.texts);
      return [...field.options].map((option) => option.textContent);
    }

    update() {
      const indices = this.indices();
      this.fields.forEach((field, i) => {
        if (field.type !== "range") return;
        const text = this.texts(field)[indices[i]];
        field.setAttribute("aria-valuetext", text);
        field.parentElement.querySelector("output").value = text;
      });
      const moved = this.fields.some((field, i) => Number(field.dataset.default) !== indices[i]);
      this.form.querySelector("[type=reset]").disabled = !moved;
      if (this.show) this.show(stopOf(indices, this.shape));
      else if (moved) this.load();
    }

    /* Put the state into the address, so that the picture can be linked. */
    remember() {
      const indices = this.indices();
      const state = {};
      this.fields.forEach((field, i) => (state[field.name] = this.texts(field)[indices[i]]));
      try {
        history.replaceState(history.state, "", writeFragment(this.name, state));
      } catch {
        /* Some browsers forbid it for pages opened from a folder; nothing else depends on it. */
      }
    }

    recall(state) {
      const indices = this.indices();
      this.fields.forEach((field, i) => {
        const index = this.texts(field).indexOf(state[field.name]);
        if (index >= 0) indices[i] = index;
      });
      this.setIndices(indices);
      this.load();
    }

    play(field, button) {
      if (Number(field.value) >= Number(field.max)) field.value = 0;
      button.textContent = "❚❚";
      this.playing = button;
      this.load();
      this.timer = setInterval(() => {
        if (!this.show) return;
        field.value = Number(field.value) + 1;
        this.update();
        if (Number(field.value) >= Number(field.max)) this.pause();
      }, 120);
    }

    pause() {
      if (!this.timer) return;
      clearInterval(this.timer);
      this.timer = null;
      this.playing.textContent = "▶";
      this.remember();
    }
  }

  function recallFragment() {
    const [name, state] = readFragment(location.hash);
    const explorer = explorers.get(name);
    if (!explorer || !Object.keys(state).length) return;
    explorer.recall(state);
    explorer.figure.scrollIntoView();
  }

  function start() {
    for (const form of document.querySelectorAll("form.explorer-controls")) {
      const explorer = new Explorer(form);
      explorers.set(explorer.name, explorer);
    }
    const near = new IntersectionObserver(
      (entries) => {
        for (const entry of entries) {
          if (!entry.isIntersecting) continue;
          near.unobserve(entry.target);
          explorers.get(entry.target.dataset.explorer).load();
        }
      },
      { rootMargin: "100% 0px" },
    );
    for (const [name, explorer] of explorers) {
      explorer.figure.dataset.explorer = name;
      near.observe(explorer.figure);
    }
    recallFragment();
    addEventListener("hashchange", recallFragment);
    addEventListener("beforeprint", () => {
      for (const explorer of explorers.values()) {
        explorer.kept = explorer.indices();
        explorer.setIndices(explorer.fields.map((field) => Number(field.dataset.default)));
      }
    });
    addEventListener("afterprint", () => {
      for (const explorer of explorers.values()) explorer.setIndices(explorer.kept);
    });
  }

  /* Pictures come after the page: they are not needed to read it. */
  if (document.readyState === "complete") start();
  else addEventListener("load", start);

  return { ...pure, frames: (name, frames) => explorers.get(name).receive(frames) };
})();

if (typeof module !== "undefined") module.exports = scispaces;
