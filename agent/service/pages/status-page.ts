/** The status page: one file without anything from elsewhere, which may run its own script and nothing else. */
import { createHash } from "node:crypto";
import { statusScript } from "./status-script.js";
import { statusStyle } from "./status-style.js";

export interface RenderedPage {
  readonly html: string;
  /** Lets in exactly this script and this style, by their hashes. */
  readonly contentSecurityPolicy: string;
}

export function renderStatusPage(): RenderedPage {
  return {
    html: `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>lwm2m-agent</title>
<link rel="icon" href="${icon}">
<style>${statusStyle}</style>
</head>
<body>
<header>
<p id="device"></p>
<h1 id="endpoint">lwm2m-agent</h1>
<p id="headline" role="status" class="state calm">Asking the agent …</p>
</header>
<main>
<noscript><p class="state bad">This page needs JavaScript. Without it: lwm2m-agent status</p></noscript>
<section aria-labelledby="servers-title" id="servers-section" hidden>
<h2 id="servers-title">Servers</h2>
<div id="servers"></div>
</section>
<section aria-labelledby="firmware-title" id="firmware-section" hidden>
<h2 id="firmware-title">Firmware</h2>
<div id="firmware"></div>
</section>
<section aria-labelledby="plugins-title" id="plugins-section" hidden>
<h2 id="plugins-title">Plugins</h2>
<dl id="plugins"></dl>
</section>
<section aria-labelledby="agent-title" id="agent-section" hidden>
<h2 id="agent-title">Agent</h2>
<dl id="agent"></dl>
</section>
<section aria-labelledby="log-title" id="log-section" hidden>
<h2 id="log-title">Recent log</h2>
<ol id="log" tabindex="0" aria-labelledby="log-title"></ol>
</section>
</main>
<footer><p>As of <time id="as-of">–</time>, asked again every 2 s. Newest line first; times are those of this browser.</p></footer>
<script>${statusScript}</script>
</body>
</html>
`,
    contentSecurityPolicy: [
      "default-src 'none'",
      `script-src ${hashOf(statusScript)}`,
      `style-src ${hashOf(statusStyle)}`,
      "connect-src 'self'",
      "img-src data:",
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
      "require-trusted-types-for 'script'",
    ].join("; "),
  };
}

const hashOf = (text: string): string => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

/** A dot; otherwise a browser asks for /favicon.ico. */
const icon =
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Ccircle cx='8' cy='8' r='7' fill='%231f6feb'/%3E%3C/svg%3E";
