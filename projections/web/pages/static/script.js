// What pages do only with a script: they read themselves again, show times in the reader's zone, copy, and search by "/".
"use strict";
const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;
const FORM = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });
const WEEKDAY = new Intl.DateTimeFormat("en-GB", { weekday: "long", hour: "2-digit", minute: "2-digit" });

// Times of a page, or of one that was just read: the reader's own, with the page's and the exact one as the title.
function localize(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    if (Number.isNaN(moment.getTime())) continue;
    const local = ("weekday" in time.dataset ? WEEKDAY : FORM).format(moment);
    time.title = `${"ago" in time.dataset ? local : time.textContent.trim()}, ${moment.toISOString()}`;
    if (!("ago" in time.dataset)) time.textContent = local;
  }
  for (const said of root.querySelectorAll(".zone")) said.textContent = `Times in your zone, ${ZONE}.`;
}

// Makes an element what a newer one is, and leaves what is the same: so focus, selection and scrolling stay.
function renew(old, newer) {
  if (old.isEqualNode(newer)) return;
  if (old.nodeName !== newer.nodeName) return old.replaceWith(newer);
  if (old.nodeType !== Node.ELEMENT_NODE) return void (old.nodeValue = newer.nodeValue);
  for (const { name } of [...old.attributes]) if (name !== "open" && !newer.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of newer.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  const [before, after] = [[...old.childNodes], [...newer.childNodes]];
  after.forEach((node, place) => (place < before.length ? renew(before[place], node) : old.append(node)));
  before.slice(after.length).forEach((node) => node.remove());
}

function keepLive(bar) {
  const [status, button] = bar.children;
  let paused = false, timer, reading;
  const say = (words) => { if (status.textContent !== words) status.textContent = words; };
  const wait = () => { timer = setTimeout(read, bar.dataset.every * 1000); };
  const stop = () => { clearTimeout(timer); reading?.abort(); };
  async function read() {
    reading = new AbortController();
    try {
      const answer = await fetch(location.href, { signal: reading.signal });
      if (answer.redirected || (answer.status >= 400 && answer.status < 500 && answer.status !== 429)) {
        return say("Stopped: this page is not shown any more. Load it again.");
      }
      if (!answer.ok) throw new Error();
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (paused || document.hidden) return;
      localize(page);
      for (const region of document.querySelectorAll("[data-live]")) {
        const newer = page.getElementById(region.id);
        if (newer) renew(region, newer);
      }
      say("Live");
    } catch (error) {
      if (error.name === "AbortError") return;
      say("Not reached; trying again");
    }
    wait();
  }
  button.addEventListener("click", () => {
    paused = !paused;
    button.textContent = paused ? "Go on" : "Pause";
    say(paused ? "Paused" : "Live");
    paused ? stop() : read();
  });
  document.addEventListener("visibilitychange", () => { if (!paused) document.hidden ? stop() : read(); });
  bar.classList.add("on");
  say("Live");
  wait();
}

function addCopyButton(box) {
  const button = Object.assign(document.createElement("button"), { type: "button", textContent: "Copy" });
  button.addEventListener("click", async () => {
    const text = box.querySelector("pre");
    getSelection().selectAllChildren(text);
    // Browsers have a clipboard only behind https and on the machine itself; elsewhere what is selected is copied.
    const copied = navigator.clipboard
      ? await navigator.clipboard.writeText(text.textContent).then(() => true, () => false)
      : document.execCommand("copy");
    button.textContent = copied ? "Copied" : "Selected";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  box.append(button);
}

document.addEventListener("keydown", (event) => {
  const box = document.querySelector("main [type=search]") ?? document.querySelector("[type=search]");
  const isTyping = event.target instanceof HTMLElement && event.target.matches("input, textarea, select");
  if (event.key !== "/" || !box || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  box.focus();
  box.select();
});
document.addEventListener("change", ({ target }) => {
  if (target.matches("form[data-submits] :is(select, [type=checkbox], [type=radio])")) target.form.requestSubmit();
});
localize(document);
document.querySelectorAll(".live").forEach(keepLive);
document.querySelectorAll(".copied").forEach(addCopyButton);
