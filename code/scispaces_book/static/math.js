/* Formulas are copied as TeX. */
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
})();
