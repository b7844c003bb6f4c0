// The search page, before an index is there.
document.getElementById("search-status").textContent =
  location.protocol === "file:" ? "从文件夹打开的书不能搜索；请经由服务器打开。" : "";
