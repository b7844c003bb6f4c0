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
  // says where it goes on.
  const settle = (box) => {
    const hidden = box.scrollWidth - box.clientWidth;
    box.classList.toggle("more-before", hidden > 1 && box.scrollLeft > 1);
    box.classList.toggle("more-after", hidden > 1 && box.scrollLeft < hidden - 1);
    box.style.overflowX = hidden > 1 ? "" : "hidden"; // a rounded pixel is nothing to scroll to
    if (hidden > 1) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
    if (box.tagName === "TABLE") return; // it keeps its own role
    if (hidden > 1) {
      box.setAttribute("role", "group");
      box.setAttribute("aria-label", "可左右滚动");
    } else {
      box.removeAttribute("role");
      box.removeAttribute("aria-label");
    }
  };
  const boxes = document.querySelectorAll(".math-scroll, pre, table");
  const observer = new ResizeObserver((entries) => entries.forEach(({ target }) => settle(target)));
  for (const box of boxes) {
    observer.observe(box);
    box.addEventListener("scroll", () => settle(box), { passive: true });
  }
  document.fonts.ready.then(() => boxes.forEach(settle));
}
