// The search page, as long as it has no index: it says so, and points to what there is.
document.getElementById("search").hidden = true;
document.getElementById("search-status").textContent =
  "全书搜索还没有接通。请用“索引”找术语，或用浏览器在一章之内查找。";
