// What pages do only with a script: "/" goes to the search box; times are shown in the reader's zone on request.
"use strict";
document.addEventListener("keydown", (event) => {
  const box = document.querySelector("input[type=search]");
  const isTyping = event.target instanceof HTMLElement && event.target.matches("input, textarea, select");
  if (event.key === "/" && box && !isTyping && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    box.focus();
    box.select();
  }
});
for (const time of document.querySelectorAll("time[datetime]")) {
  const moment = new Date(time.dateTime);
  if (!Number.isNaN(moment.getTime())) {
    time.title = `${moment.toLocaleString()} in your time zone`;
  }
}
