"use strict";
(() => {
  const PAGE_ROWS = 200;
  const data = JSON.parse(document.getElementById("data").textContent);
  const narrow = window.matchMedia("(max-width: 48rem)");
  const byId = (id) => document.getElementById(id);

  // Text only ever becomes a text node, so that nothing captured is markup.
  function element(name, properties, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(properties ?? {})) {
      if (key in made) made[key] = value;
      else made.setAttribute(key, value);
    }
    made.append(...children);
    return made;
  }

  // Bytes as text that is visible: the rule of the tables, see docs/json.md.
  const strict = new TextDecoder("utf-8", { fatal: true });
  const UNSEEN = /[\p{C}\p{M}\p{Zl}\p{Zp}\u115f\u1160\u3164\uffa0]/u;
  const NAMED = { 92: "\\\\", 10: "\\n", 13: "\\r", 9: "\\t" };
  const hex = (byte) => byte.toString(16).padStart(2, "0");

  function sequenceLength(byte) {
    if (byte >= 0xc2 && byte <= 0xdf) return 2;
    if (byte >= 0xe0 && byte <= 0xef) return 3;
    return byte >= 0xf0 && byte <= 0xf4 ? 4 : 1;
  }

  function character(bytes, at) {
    try {
      return strict.decode(bytes.subarray(at, at + sequenceLength(bytes[at])));
    } catch {
      return null;
    }
  }

  function visible(bytes, keepLines) {
    let text = "";
    for (let at = 0; at < bytes.length; ) {
      const byte = bytes[at];
      if (keepLines && (byte === 10 || byte === 9)) {
        text += String.fromCharCode(byte);
        at += 1;
      } else if (keepLines && byte === 13 && bytes[at + 1] === 10) {
        at += 1;
      } else if (byte < 0x80) {
        text += NAMED[byte] ?? (byte < 0x20 || byte === 0x7f ? "\\x" + hex(byte) : String.fromCharCode(byte));
        at += 1;
      } else {
        const found = character(bytes, at);
        if (!found) {
          text += "\\x" + hex(byte);
          at += 1;
        } else {
          text += UNSEEN.test(found) ? `\\u{${found.codePointAt(0).toString(16)}}` : found;
          at += sequenceLength(byte);
        }
      }
    }
    return text;
  }

  function hexDump(bytes) {
    const width = narrow.matches ? 8 : 16;
    const lines = [];
    for (let at = 0; at < bytes.length; at += width) {
      const line = Array.from(bytes.subarray(at, at + width));
      const shown = line.map(hex).join(" ").padEnd(width * 3 - 1);
      const ascii = line.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".")).join("");
      lines.push(`${at.toString(16).padStart(4, "0")}  ${shown}  ${ascii}`);
    }
    return lines.join("\n");
  }

  const payloadOf = (message) => Uint8Array.from(atob(message.payload_base64), (c) => c.charCodeAt(0));
  const size = (bytes) => `${bytes} B`;
  const grouped = (number) => number.toLocaleString("en");

  // Messages by number, with the ladder that shows them.
  const messages = new Map();
  for (const [ladder, list] of Object.entries(data.messages)) {
    for (const message of list) messages.set(message.n, { message, ladder });
  }

  function describeBytes(message) {
    const bytes = payloadOf(message);
    const parts = [
      element("h3", {}, `#${message.n}  ${message.label}`),
      element("p", { className: "about" }, `${message.time}  ${message.info}`),
    ];
    if (bytes.length < message.payload_bytes) {
      const rest = message.payload_bytes - bytes.length;
      parts.push(element("p", { className: "about" }, `${rest} of ${message.payload_bytes} payload bytes are not in this report`));
    }
    if (bytes.length > 0) {
      parts.push(
        element("h4", {}, "hex"),
        element("pre", { className: "hex", tabIndex: 0 }, hexDump(bytes)),
        element("h4", {}, "text"),
        element("pre", { className: "text wrap", tabIndex: 0 }, visible(bytes, true)),
      );
    } else if (message.payload_bytes === 0) {
      parts.push(element("p", { className: "about" }, "no payload"));
    }
    return parts;
  }

  function follow(conversation) {
    const list = (data.messages[conversation.ladder] ?? []).filter(
      (message) => message.conv === conversation.conv && message.type === "data",
    );
    const pre = element("pre", { className: "follow wrap", tabIndex: 0 });
    let missing = 0;
    for (const message of list) {
      const bytes = payloadOf(message);
      missing += message.payload_bytes - bytes.length;
      const arrow = message.dir === "s2c" ? "←" : "→";
      const text = visible(bytes, true);
      pre.append(
        element("span", { className: "head" }, `${arrow} ${message.time}  ${size(message.payload_bytes)}\n`),
        element("span", { className: message.dir ?? "" }, text.endsWith("\n") ? text : text + "\n"),
      );
    }
    const parts = [element("h3", {}, `What was said in ${conversation.conv}`), pre];
    if (list.length === 0) pre.append("no data");
    if (missing > 0) parts.push(element("p", { className: "about" }, `${size(missing)} are not in this report`));
    return parts;
  }

  // The table of conversations.
  const COLUMNS = [
    "conv", "peer", "client", "server", "client_id", "server_id", "state", "start", "duration_us",
    "handshake_us", "c2s_count", "c2s_bytes", "s2c_count", "s2c_bytes", "finding_count", "level", "ladder",
  ];
  const conversations = data.conversations.map((values, order) => {
    const made = Object.fromEntries(COLUMNS.map((name, index) => [name, values[index]]));
    made.order = order;
    made.words = [made.conv, made.peer, made.client, made.server, made.client_id, made.server_id, made.state, made.level]
      .filter(Boolean).join(" ").toLowerCase();
    return made;
  });
  const byName = new Map(conversations.map((conversation) => [conversation.conv, conversation]));
  const expanded = new Set();
  const body = byId("conversations");
  const state = { key: "order", descending: false, filter: "", search: "", findings: false, limit: PAGE_ROWS };

  // What was said in a conversation, each side's stream in one piece: what is searched for may
  // stand across messages. Made when it is first asked for.
  const loosely = new TextDecoder();
  const said = new Map();
  function saidIn(one) {
    if (!said.has(one.conv)) {
      const list = (data.messages[one.ladder] ?? []).filter((message) => message.conv === one.conv && message.type === "data");
      const sides = ["c2s", "s2c"].map((side) => list.filter((message) => message.dir === side).map(payloadOf));
      said.set(one.conv, sides.map((side) => side.map((bytes) => loosely.decode(bytes, { stream: true })).join("") + loosely.decode())
        .join("\u0000").toLowerCase());
    }
    return said.get(one.conv);
  }
  const holds = (message) => state.search !== "" && loosely.decode(payloadOf(message)).toLowerCase().includes(state.search);

  function duration(micros) {
    if (micros === null) return "-";
    const sign = micros < 0 ? "-" : "";
    const value = Math.abs(micros);
    if (value < 100) return `${sign}${value} µs`;
    if (value < 100_000) return `${sign}${(Math.floor(value / 100) / 10).toFixed(1)} ms`;
    if (value < 1_000_000) return `${sign}${Math.floor(value / 1000)} ms`;
    // From so many seconds on, in a unit of so many seconds.
    const [, seconds, unit] = [[432_000, 86_400, "d"], [18_000, 3_600, "h"], [600, 60, "min"], [0, 1, "s"]]
      .find(([from]) => value >= from * 1_000_000);
    const tenths = Math.floor(value / (seconds * 100_000));
    return `${sign}${tenths < 1000 ? (tenths / 10).toFixed(1) : Math.floor(tenths / 10)} ${unit}`;
  }

  function selected() {
    const words = state.filter.toLowerCase().split(/\s+/).filter(Boolean);
    const rows = conversations.filter(
      (one) => words.every((word) => one.words.includes(word)) && (!state.findings || one.finding_count > 0)
        && (state.search === "" || saidIn(one).includes(state.search)),
    );
    const sign = state.descending ? -1 : 1;
    const compare = (a, b) => {
      const [one, other] = [a[state.key], b[state.key]];
      if (one === other) return a.order - b.order;
      // What is not known stands at the end, whichever way.
      if (one === null) return 1;
      if (other === null) return -1;
      return one < other ? -sign : sign;
    };
    return rows.sort(compare);
  }

  function cell(className, ...content) {
    return element("td", { className }, ...content);
  }

  function rowOf(one) {
    const button = element("button", { type: "button", className: "open" }, one.conv);
    button.disabled = one.ladder === null;
    const isOpen = expanded.has(one.conv);
    if (!button.disabled) button.setAttribute("aria-expanded", String(isOpen));
    const level = one.finding_count > 0
      ? element("span", { className: `level ${one.level}`, title: `the worst is of level ${one.level}` },
        `${grouped(one.finding_count)} ${one.finding_count === 1 ? one.level : "findings"}`)
      : "";
    const row = element("tr", { className: "row", id: one.conv },
      cell("", button, one.peer ? ` (${one.peer})` : ""),
      cell("mono minor", one.client),
      cell("mono minor", one.server),
      cell("mono minor", `${one.client_id ?? "-"}/${one.server_id ?? "-"}`),
      cell("", one.state),
      cell("number minor", one.start.toFixed(3)),
      cell("number", duration(one.duration_us)),
      cell("number minor", duration(one.handshake_us)),
      cell("number", `${one.c2s_count}/${one.c2s_bytes}`),
      cell("number", `${one.s2c_count}/${one.s2c_bytes}`),
      cell("", level),
    );
    row.addEventListener("click", (event) => {
      if (one.ladder !== null && !window.getSelection().toString() && !event.target.closest("a")) toggle(one);
    });
    return row;
  }

  function render() {
    const rows = selected();
    const shown = rows.slice(0, state.limit);
    const parts = [];
    for (const one of shown) {
      parts.push(rowOf(one));
      if (expanded.has(one.conv)) parts.push(detailOf(one));
    }
    body.replaceChildren(...parts);
    const noun = conversations.length === 1 ? "conversation" : "conversations";
    byId("count").textContent = rows.length === conversations.length
      ? `${grouped(rows.length)} ${noun}`
      : `${grouped(rows.length)} of ${grouped(conversations.length)} ${noun}`;
    const without = conversations.filter((one) => one.ladder === null).length;
    if (state.search !== "" && without > 0) {
      byId("count").textContent += `; the payloads of ${grouped(without)} are not in this report`;
    }
    const more = byId("more");
    more.hidden = rows.length <= shown.length;
    const left = rows.length - shown.length;
    more.textContent = `Show ${grouped(Math.min(PAGE_ROWS, left))} more of ${grouped(left)}`;
  }

  function toggle(one) {
    const row = byId(one.conv);
    const button = row.querySelector(".open");
    if (expanded.delete(one.conv)) {
      row.nextElementSibling.remove();
    } else {
      expanded.add(one.conv);
      row.after(detailOf(one));
    }
    button.setAttribute("aria-expanded", String(expanded.has(one.conv)));
  }

  // What opens below a row: the ladder, and the bytes of what is picked in it.
  function detailOf(one) {
    const bytes = element("section", { className: "bytes", hidden: true, "aria-live": "polite" });
    const picture = element("div", { className: "picture" }, byId(`ladder-${one.ladder}`).content.cloneNode(true));
    const pane = element("div", { className: "pane" });
    const show = (parts) => {
      bytes.replaceChildren(...parts);
      bytes.hidden = false;
      pane.classList.add("split");
    };
    const followButton = element("button", { type: "button", className: "plain follow-button", "aria-pressed": "false" }, "Follow stream");
    const arrows = Array.from(picture.querySelectorAll(".arrow"));
    const release = () => {
      for (const arrow of arrows) arrow.setAttribute("aria-pressed", "false");
      followButton.setAttribute("aria-pressed", "false");
    };
    followButton.addEventListener("click", () => {
      release();
      followButton.setAttribute("aria-pressed", "true");
      show(follow(one));
    });
    arrows.forEach((arrow, index) => prepareArrow(arrow, index, arrows, (message) => {
      release();
      arrow.setAttribute("aria-pressed", "true");
      show(describeBytes(message));
    }));
    const tools = element("div", { className: "tools" }, followButton,
      element("span", { className: "about hint" }, "A message: click it, or Enter; arrow keys move."));
    pane.append(picture, bytes);
    return element("tr", { className: "detail" }, element("td", { colSpan: 11 }, tools, pane));
  }

  function prepareArrow(arrow, index, arrows, pick) {
    const found = messages.get(Number(arrow.dataset.n));
    arrow.setAttribute("role", "button");
    arrow.setAttribute("tabindex", index === 0 ? "0" : "-1");
    arrow.setAttribute("aria-pressed", "false");
    arrow.setAttribute("aria-label", found ? `message ${found.message.n}, ${found.message.label}` : "message");
    if (found && holds(found.message)) arrow.classList.add("found");
    arrow.addEventListener("click", () => found && pick(found.message));
    arrow.addEventListener("keydown", (event) => {
      const target = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: arrows.length - 1 }[event.key];
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        if (found) pick(found.message);
      } else if (arrows[target]) {
        event.preventDefault();
        arrow.setAttribute("tabindex", "-1");
        arrows[target].setAttribute("tabindex", "0");
        arrows[target].focus();
      }
    });
  }

  // Links to `#c3` and `#m12` open what they name.
  function reveal(name) {
    const one = byName.get(name);
    if (!one) return null;
    if (!byId(name)) {
      Object.assign(state, { filter: "", search: "", findings: false });
      byId("filter").value = "";
      byId("search").value = "";
      byId("only-findings").checked = false;
      state.limit = Math.max(PAGE_ROWS, selected().indexOf(one) + 1);
      render();
    }
    if (one.ladder !== null && !expanded.has(name)) toggle(one);
    return byId(name);
  }

  function followHash() {
    const target = decodeURIComponent(location.hash.slice(1));
    const number = /^m(\d+)$/.exec(target)?.[1];
    if (!number) {
      reveal(target)?.scrollIntoView();
      return;
    }
    const found = messages.get(Number(number));
    const row = found && reveal(found.message.conv);
    const arrow = row?.nextElementSibling?.querySelector(`[data-n="${number}"]`);
    if (!arrow) return;
    arrow.dispatchEvent(new MouseEvent("click"));
    arrow.scrollIntoView({ block: "center" });
    arrow.focus({ preventScroll: true });
  }

  // Messages that belong to no conversation.
  const loose = new Map(data.loose.map((message) => [message.n, message]));
  for (const button of document.querySelectorAll("button[data-loose]")) {
    button.addEventListener("click", () => {
      const pane = byId("loose-bytes");
      pane.replaceChildren(...describeBytes(loose.get(Number(button.dataset.loose))));
      pane.hidden = false;
    });
  }

  function listen() {
    for (const button of document.querySelectorAll("button[data-key]")) {
      button.addEventListener("click", () => {
        const heading = button.closest("th");
        const descending = heading.getAttribute("aria-sort") === "ascending";
        for (const other of document.querySelectorAll("th[aria-sort]")) other.setAttribute("aria-sort", "none");
        heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
        Object.assign(state, { key: button.dataset.key, descending, limit: PAGE_ROWS });
        render();
      });
    }
    byId("filter").addEventListener("input", (event) => {
      Object.assign(state, { filter: event.target.value, limit: PAGE_ROWS });
      render();
    });
    byId("search").addEventListener("input", (event) => {
      Object.assign(state, { search: event.target.value.toLowerCase(), limit: PAGE_ROWS });
      render();
    });
    byId("only-findings").addEventListener("change", (event) => {
      Object.assign(state, { findings: event.target.checked, limit: PAGE_ROWS });
      render();
    });
    byId("more").addEventListener("click", () => {
      state.limit += PAGE_ROWS;
      render();
    });
    window.addEventListener("hashchange", followHash);
  }

  // A capture without conversations has no table of them.
  if (body) {
    listen();
    render();
    if (location.hash) followHash();
  }
})();
