/* Formulas under the reader's hand: copied as TeX, scrolled from the keyboard where they are wide. */
(() => {
  "use strict";

  // The outermost element of the formula around a node.
  const formulaAround = (node) => {
    const element = node.nodeType === Node.ELEMENT_NODE ? node : node.parentElement;
    const formula = element?.closest(".katex");
    return formula?.closest(".katex-display") ?? formula;
  };

  document.addEventListener("copy", (event) => {
    const selection = document.getSelection();
    if (selection.isCollapsed || !selection.rangeCount || !event.clipboardData) return;
    const range = selection.getRangeAt(0).cloneRange();
    // A formula is copied whole, or what is left of it would be no TeX.
    const first = formulaAround(range.startContainer);
    const last = formulaAround(range.endContainer);
    if (first) range.setStartBefore(first);
    if (last) range.setEndAfter(last);
    const box = document.createElement("div");
    box.append(range.cloneContents());
    const formulas = box.querySelectorAll(".katex");
    if (!formulas.length) return;
    for (const formula of formulas) {
      const tex = formula.querySelector("annotation").textContent;
      const display = formula.closest(".katex-display");
      if (display) display.replaceWith(`$$${tex}$$`);
      else formula.replaceWith(`$${tex}$`);
    }
    // Only text that is laid out knows its line breaks.
    box.style.cssText = "position: fixed; inset-inline-start: -9999px";
    document.body.append(box);
    event.clipboardData.setData("text/plain", box.innerText);
    event.clipboardData.setData("text/html", box.innerHTML);
    box.remove();
    event.preventDefault();
  });

  // A formula that is wider than its box is a stop for the keyboard, and says where it goes on.
  const settle = (box) => {
    const hidden = box.scrollWidth - box.clientWidth;
    box.classList.toggle("more-before", hidden > 1 && box.scrollLeft > 1);
    box.classList.toggle("more-after", hidden > 1 && box.scrollLeft < hidden - 1);
    if (hidden > 1) {
      box.tabIndex = 0;
      box.setAttribute("role", "group");
      box.setAttribute("aria-label", "公式，可左右滚动");
    } else {
      for (const name of ["tabindex", "role", "aria-label"]) box.removeAttribute(name);
    }
  };
  const boxes = document.querySelectorAll(".math-scroll");
  const observer = new ResizeObserver((entries) => entries.forEach(({ target }) => settle(target)));
  for (const box of boxes) {
    observer.observe(box);
    box.addEventListener("scroll", () => settle(box), { passive: true });
  }
  document.fonts.ready.then(() => boxes.forEach(settle));
})();
