// The button that changes the colours, the search field, and a button on each code cell that copies it.
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
}
