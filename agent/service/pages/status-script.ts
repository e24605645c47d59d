/**
 * Of the status page, for the browser: asks for /status.json (`StatusView` of status-view.ts) and puts its texts where they
 * belong. As text nodes only, whatever a Server or a package calls itself.
 */
export const statusScript = `"use strict";
const period = 2000;
const byId = (id) => document.getElementById(id);

/** An element with a class, holding texts and other elements. */
function element(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children.filter((child) => child !== null && child !== ""));
  return made;
}

function timeElement(iso, text) {
  const date = new Date(iso);
  if (!iso || Number.isNaN(date.getTime())) return text ?? "";
  const made = element("time", "", text ?? date.toLocaleTimeString());
  made.dateTime = iso;
  made.title = date.toLocaleString();
  return made;
}

const factList = (facts) => facts.flatMap(({ label, text, time, tone }) => [
  element("dt", "", label),
  element("dd", tone, time ? timeElement(time, text) : text),
]);

const serverArticle = ({ name, uri, tone, state, facts }) => element("article", "",
  element("div", "row", element("h3", "", name), element("p", "state " + tone, state)),
  element("p", "uri", uri),
  element("dl", "", ...factList(facts)));

function progressElement({ percent, text }) {
  const bar = element("progress", "");
  bar.max = 100;
  if (percent !== null) bar.value = percent;
  bar.setAttribute("aria-label", text);
  return element("div", "progress", bar, element("p", "", text));
}

const firmwareElements = ({ version, tone, state, progress, facts, lastOutcome }) => [
  element("div", "row", element("p", "version", element("small", "", "runs version"), version), element("p", "state " + tone, state)),
  progress && progressElement(progress),
  facts.length > 0 ? element("dl", "", ...factList(facts)) : null,
  lastOutcome && element("div", "outcome " + lastOutcome.tone,
    element("b", "", "Last update, ", timeElement(lastOutcome.at, new Date(lastOutcome.at).toLocaleString())),
    lastOutcome.text),
].filter((each) => each !== null);

const logItem = ({ time, level, message, details }) => element("li", "",
  timeElement(time),
  level === "warn" || level === "error" ? element("span", "level " + (level === "warn" ? "held" : "bad"), level) : "",
  message,
  details ? element("span", "details", details) : "");

/** What stands there stays where nothing has changed: a screen reader and a selection are not disturbed. */
const shown = new Map();
function show(id, value, children) {
  const text = JSON.stringify(value);
  if (shown.get(id) === text) return;
  shown.set(id, text);
  byId(id).replaceChildren(...children(value));
}

function showSection(id, list, children) {
  byId(id + "-section").hidden = Array.isArray(list) && list.length === 0;
  show(id, list, children);
}

function headline({ tone, text }) {
  const line = byId("headline");
  line.className = "state " + tone;
  if (line.textContent !== text) line.textContent = text;
}

function render(view) {
  document.title = view.endpointName + " – " + view.headline.text;
  show("endpoint", view.endpointName, (name) => [name]);
  show("device", view.device, (device) => [device]);
  headline(view.headline);
  showSection("servers", view.servers, (servers) => servers.map(serverArticle));
  showSection("firmware", view.firmware, firmwareElements);
  showSection("plugins", view.plugins, factList);
  showSection("agent", view.agent, factList);
  showSection("log", view.log, (entries) => entries.map(logItem));
  byId("as-of").textContent = new Date().toLocaleTimeString();
}

async function refresh() {
  try {
    const answer = await fetch("/status.json", { cache: "no-store", signal: AbortSignal.timeout(5000) });
    if (!answer.ok) throw new Error(await answer.text());
    render(await answer.json());
  } catch {
    headline({ tone: "bad", text: "The agent does not answer; what is below may be out of date" });
  }
  setTimeout(refresh, period);
}
refresh();
`;
