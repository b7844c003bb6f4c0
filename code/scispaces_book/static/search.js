// The search page. Pagefind has an index of the pages in which each Han character is a word, as
// scispaces_book/search.py makes it; a phrase stands where its characters stand in a row.

"use strict";

const bookSearch = (() => {
  const HAN = "[\\u3400-\\u4dbf\\u4e00-\\u9fff]";
  const SPACES = new RegExp(` +(?=${HAN})|(?<=${HAN}) +`, "g");

  // The terms of a query, each as the list of words that the index has for it.
  function termsOf(query) {
    const bounds = new RegExp(`(?=${HAN})|(?<=${HAN})(?=[A-Za-z0-9])`);
    const terms = query.split(/[\s\p{P}]+/u).filter(Boolean);
    return terms.map((term) => term.split(bounds));
  }

  // A phrase that stands nowhere is looked for by the pairs of its words.
  function pairsOf(words) {
    return words.length < 3 ? [words] : words.slice(1).map((word, i) => [words[i], word]);
  }

  // Of the places of all words of a phrase, those where `length` of them stand in a row.
  function rows(places, length) {
    const all = new Set(places);
    const isRow = (place) => Array.from({ length }, (_, i) => place + i).every((i) => all.has(i));
    return [...all].filter(isRow).sort((a, b) => a - b);
  }

  // Whether the Han characters of a phrase stand at a place in this order.
  function standsAt(words, place, phrase) {
    const isHan = new RegExp(HAN);
    return phrase.every((word, i) => !isHan.test(word) || words[place + i].startsWith(word));
  }

  // Words `from` to `to` of a page, as parts that are hits or not. Between Chinese no space stands.
  function excerpt(words, from, to, isHit) {
    const parts = [{ text: "", hit: false }];
    for (let i = Math.max(0, from); i < Math.min(words.length, to); i++) {
      const chinese = new RegExp(`${HAN}$`).test(words[i - 1]) || new RegExp(`^${HAN}`).test(words[i]);
      const gap = chinese || i === from ? "" : " ";
      const last = parts.at(-1);
      if (last.hit === isHit(i)) last.text += gap + words[i];
      else if (last.hit) parts.push({ text: gap + words[i], hit: false });
      else {
        last.text += gap;
        parts.push({ text: words[i], hit: true });
      }
    }
    // Punctuation after a hit is none of it.
    return parts.flatMap(({ text, hit }) => {
      const end = hit ? text.search(/\p{P}*$/u) : text.length;
      return [{ text: text.slice(0, end), hit }, { text: text.slice(end), hit: false }];
    });
  }

  const pure = { termsOf, pairsOf, rows, standsAt, excerpt };
  if (typeof document === "undefined") return pure;

  /* --- page --------------------------------------------------------------------------------- */

  const SHOWN = 8; // chapters at a time
  const SECTIONS = 3; // of a chapter
  const BEFORE = 14; // words of an excerpt before the first mark
  const LENGTH = 64;
  const WEIGHED = 20; // chapters in whose order headings count more than text

  const form = document.getElementById("search");
  const field = form.elements.q;
  const status = document.getElementById("search-status");
  const list = document.getElementById("search-results");
  const more = document.getElementById("search-more");
  let pagefind;
  let latest = 0;
  let sought;

  // Pages that hold a term, each with the places where it may stand: all its words in a row, in
  // whatever order. A phrase in quotes would be surer, but of many pages Pagefind then names one.
  async function ask(phrase) {
    const { results } = await pagefind.search(phrase.join(" "));
    return results
      .map((result) => ({ result, phrase, places: rows(result.words, phrase.length) }))
      .filter(({ places }) => places.length);
  }

  // Pages by how many of the terms they hold, then by how often; rare terms count more.
  function merged(found) {
    const pages = new Map();
    for (const ofTerm of found) {
      for (const { result, phrase, places } of ofTerm) {
        const page = pages.get(result.id) ?? { data: result.data, terms: [], score: 0 };
        page.terms.push({ phrase, places, rarity: 1 / ofTerm.length });
        page.score += places.length / ofTerm.length;
        pages.set(result.id, page);
      }
    }
    return ordered([...pages.values()]);
  }

  const ordered = (pages) =>
    pages.sort((a, b) => b.terms.length - a.terms.length || b.score - a.score);

  // A place in a heading counts more, one in code less.
  async function weigh(page) {
    page.content = await page.data();
    page.words = page.content.content.split(/\s+/);
    const { weighted_locations: locations } = page.content;
    const weights = new Map(locations.map(({ location, weight }) => [location, weight]));
    page.score = 0;
    for (const term of page.terms) {
      term.places = term.places.filter((place) => standsAt(page.words, place, term.phrase));
      for (const place of term.places) page.score += term.rarity * (weights.get(place) ?? 1);
    }
  }

  function sectionsOf(page) {
    const headings = page.content.anchors
      .filter((anchor) => /^h\d$/.test(anchor.element))
      .sort((a, b) => a.location - b.location);
    const sections = new Map();
    for (const { places } of page.terms) {
      for (const place of places) {
        const heading = headings.findLast((anchor) => anchor.location <= place);
        const section = sections.get(heading) ?? { heading, places: [] };
        section.places.push(place);
        sections.set(heading, section);
      }
    }
    const all = [...sections.values()].sort((a, b) => b.places.length - a.places.length);
    return all.slice(0, SECTIONS);
  }

  function element(tag, ...children) {
    const made = document.createElement(tag);
    made.append(...children);
    return made;
  }

  function linkTo(url, ...children) {
    const link = element("a", ...children);
    link.href = new URL(url, location.href).href;
    return link;
  }

  // The title as the table of contents shows it, formulas and all.
  function titleOf(content) {
    const url = new URL(content.url, location.href).href;
    const known = [...document.querySelectorAll("nav.parts a")].find((link) => link.href === url);
    return known ? known.cloneNode(true).childNodes : [content.meta.title.replace(SPACES, "")];
  }

  function chapter(page) {
    const { content, words, terms } = page;
    const hits = new Set(
      terms.flatMap(({ places, phrase }) => places.flatMap((at) => phrase.map((_, i) => at + i))),
    );
    const title = element("h2", linkTo(content.url, ...titleOf(content)));
    if (content.meta.part) title.append(element("small", content.meta.part));
    const sections = sectionsOf(page).map(({ heading, places }) => {
      const from = Math.max(Math.min(...places) - BEFORE, heading?.location ?? 0);
      const parts = excerpt(words, from, from + LENGTH, (i) => hits.has(i));
      const text = parts.map((part) => (part.hit ? element("mark", part.text) : part.text));
      const row = element("li");
      if (heading && heading.element !== "h1") {
        const name = heading.text.replace(SPACES, "").replace("¶", "");
        row.append(linkTo(`${content.url}#${heading.id}`, name));
      }
      row.append(element("p", ...text, "…"));
      return row;
    });
    return element("li", title, element("ul", ...sections));
  }

  async function show(pages, run) {
    const next = pages.slice(list.childElementCount, list.childElementCount + SHOWN);
    await Promise.all(next.map((page) => page.content ?? weigh(page)));
    if (run !== latest) return;
    list.append(...next.map(chapter));
    const left = pages.length - list.childElementCount;
    more.hidden = left === 0;
    more.textContent = `还有${left}章`;
    more.onclick = async () => {
      const first = list.childElementCount;
      await show(pages, run);
      list.children[first].querySelector("a").focus();
    };
  }

  async function search() {
    const query = field.value.trim();
    if (query === sought) return; // the results, and the focus on one, stay
    sought = query;
    const run = ++latest;
    history.replaceState(null, "", query ? `?q=${encodeURIComponent(query)}` : location.pathname);
    const terms = termsOf(query);
    let found = await Promise.all(terms.map(ask));
    if (found.some((pages) => !pages.length)) {
      const parts = terms.flatMap((words, i) => (found[i].length ? [words] : pairsOf(words)));
      found = await Promise.all(parts.map(ask));
    }
    const pages = merged(found);
    const first = pages.slice(0, WEIGHED);
    await Promise.all(first.map(weigh));
    const standing = first.filter(({ terms }) => terms.some(({ places }) => places.length));
    pages.splice(0, first.length, ...ordered(standing));
    if (run !== latest) return;
    list.replaceChildren();
    await show(pages, run);
    if (run !== latest) return;
    const count = pages.length ? `${pages.length}章` : "没有找到";
    status.textContent = terms.length ? `“${query}”：${count}` : "";
  }

  // Up and down walk through the field and the results.
  function walk(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const stops = [field, ...list.querySelectorAll("a[href]")];
    const at = stops.indexOf(document.activeElement);
    if (!step || at < 0 || !stops[at + step]) return;
    event.preventDefault();
    stops[at + step].focus();
  }

  async function start() {
    form.addEventListener("submit", (event) => event.preventDefault());
    if (location.protocol === "file:") {
      form.hidden = true;
      status.textContent =
        "从文件夹里打开的书不能搜索：浏览器不让这样的页面读别的文件。请用“索引”找术语，用浏览器在一章之内查找，或者在书的文件夹里运行“python -m http.server”，再从它给出的地址打开。";
      return;
    }
    status.textContent = "";
    field.value = new URLSearchParams(location.search).get("q") ?? "";
    field.focus();
    const { createInstance } = await import("../pagefind/pagefind.js");
    pagefind = createInstance({ noWorker: true });
    let timer;
    field.addEventListener("input", (event) => {
      clearTimeout(timer);
      if (!event.isComposing) timer = setTimeout(search, 150);
    });
    field.addEventListener("compositionend", search);
    form.addEventListener("submit", search);
    document.querySelector("main").addEventListener("keydown", walk);
    search();
  }

  start();
  return pure;
})();

if (typeof module !== "undefined") module.exports = bookSearch;
