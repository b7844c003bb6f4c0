// The button that changes the colours, the search field, a button on each code cell that copies it,
// and boxes that are too narrow for what they hold.
{
  const root = document.documentElement;
  const button = document.getElementById("theme");
  const show = () => {
    button.textContent = root.dataset.theme === "dark" ? "浅色" : "深色";
  };
  button.hidden = false;
  show();
  button.addEventListener("click", () => {
    root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
    try {
      localStorage.setItem("theme", root.dataset.theme);
    } catch {}
    show();
  });
  // A page opened from a folder may send no form; the search page says what else there is.
  const find = document.querySelector("form.find");
  if (find && location.protocol === "file:") {
    find.addEventListener("submit", (event) => {
      event.preventDefault();
      location.assign(find.action);
    });
  }
  for (const block of document.querySelectorAll(".cell_input .highlight")) {
    const copy = document.createElement("button");
    copy.type = "button";
    copy.className = "copy";
    copy.textContent = "复制";
    copy.addEventListener("click", async () => {
      await navigator.clipboard.writeText(block.querySelector("pre").textContent);
      copy.textContent = "已复制";
      setTimeout(() => (copy.textContent = "复制"), 1500);
    });
    block.append(copy);
  }
  // A formula, table or piece of code that is wider than its box is a stop for the keyboard, and
  // says where it goes on.  All are measured before any is marked, so that the page is laid out once.
  const measure = (box) => ({ box, hidden: box.scrollWidth - box.clientWidth, at: box.scrollLeft });
  const mark = ({ box, hidden, at }) => {
    const wide = hidden > 1; // a rounded pixel is nothing to scroll to
    box.classList.toggle("more-before", wide && at > 1);
    box.classList.toggle("more-after", wide && at < hidden - 1);
    box.style.overflowX = wide ? "" : "hidden";
    if (wide) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
    if (box.tagName === "TABLE") return; // it keeps its own role
    if (wide) {
      box.setAttribute("role", "group");
      box.setAttribute("aria-label", "可左右滚动");
    } else {
      box.removeAttribute("role");
      box.removeAttribute("aria-label");
    }
  };
  const settle = (boxes) => boxes.map(measure).forEach(mark);
  const boxes = [...document.querySelectorAll(".math-scroll, pre, table")];
  const observer = new ResizeObserver((entries) => settle(entries.map(({ target }) => target)));
  for (const box of boxes) {
    observer.observe(box);
    box.addEventListener("scroll", () => settle([box]), { passive: true });
  }
  document.fonts.ready.then(() => settle(boxes));
}
