"use strict";

// Nothing that comes over the wire is ever read as HTML: it all goes through textContent.

const SHOWN_CHARACTERS = 20000;
const $ = (id) => document.getElementById(id);

function element(tag, className = "", text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

function headers(more = {}) {
  const token = $("token").value;
  return token ? { ...more, Authorization: `Bearer ${token}` } : more;
}

async function faultOf(answer) {
  try {
    return (await answer.json()).error;
  } catch {
    return { code: String(answer.status), message: answer.statusText };
  }
}

/* The events of a stream of server-sent events. */
async function* eventsOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let waiting = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    waiting += value;
    for (let end; (end = waiting.indexOf("\n\n")) >= 0; waiting = waiting.slice(end + 2)) {
      const lines = waiting.slice(0, end).split("\n");
      const field = (name) => lines.find((line) => line.startsWith(name))?.slice(name.length);
      const data = field("data: ");
      if (data !== undefined) yield { name: field("event: ") ?? "", data: JSON.parse(data) };
    }
  }
}

/* One run of the tree, with its place in the page. */
class RunView {
  constructor(place) {
    this.place = place;
    this.calls = new Map();
  }

  turnStarted({ turn, turns }) {
    const title = element("h3", "", turn > turns ? "Last answer" : `Turn ${turn}`);
    this.about = title.appendChild(element("small", "", "asking the model…"));
    this.turn = this.place.appendChild(element("article", "turn"));
    this.turn.append(title);
    this.block = null;
  }

  modelReplied({ text, input_tokens, output_tokens, duration_s }) {
    this.about.textContent =
      `${seconds(duration_s)}, ${input_tokens.toLocaleString()} tokens in, ${output_tokens.toLocaleString()} out`;
    const prose = text.replace(/```[\s\S]*?(```|$)/g, "").trim();
    if (prose) this.turn.append(element("pre", "prose", prose));
  }

  codeStarted({ code }) {
    this.block = this.turn.appendChild(element("div", "block"));
    this.block.append(element("pre", "code", code));
    this.room = SHOWN_CHARACTERS;
    this.output = null;
    this.facts = element("div", "facts", "running…");
    this.block.append(this.facts);
  }

  outputWritten({ kind, text }) {
    if (!this.block || this.room <= 0) return;
    this.output ??= this.insert(element("pre", "output"));
    const shown = text.slice(0, this.room);
    this.room -= text.length;
    this.output.append(element("span", kind, shown));
    if (this.room <= 0) this.output.append(element("span", "", "\n[more is not shown here]"));
  }

  codeFinished({ ok, state, timed_out, duration_s }) {
    const facts = [seconds(duration_s)];
    if (!ok) facts.push("it failed");
    if (timed_out) facts.push("stopped: it took too long");
    if (state !== "kept") facts.push(`the session's variables: ${state.replace("_", " ")}`);
    this.facts.textContent = facts.join(", ");
    this.facts.classList.toggle("fault", !ok);
  }

  subCallStarted({ call, function: name, model, prompt, child }) {
    const details = element("details", "call");
    const summary = details.appendChild(element("summary", "", `${name}: ${preview(prompt)} `));
    const note = summary.appendChild(element("small", "", `${model}…`));
    details.append(element("pre", "", clip(prompt)));
    this.output = null;
    this.insert(details);
    this.calls.set(call, { details, note, model, prompt, child, place: null });
  }

  /* Where a child run goes: into the call that asks for it, and waits for it. */
  placeOf(child, query) {
    const open = [...this.calls.values()].filter(({ place }) => place === null);
    const call =
      open.find((each) => each.child === child) ?? open.find((each) => each.prompt === query);
    const place = element("div", "child");
    if (!call) return this.insert(place);
    call.place = call.details.appendChild(place);
    call.details.open = true;
    return place;
  }

  subCallFinished({ call, reply, error, duration_s }) {
    const found = this.calls.get(call);
    if (!found) return;
    found.note.textContent = `${found.model}, ${seconds(duration_s)}`;
    const text = reply ?? `failed: ${error}`;
    found.details.append(element("pre", reply === null ? "failed" : "", clip(text)));
  }

  runFailed({ message }) {
    this.place.append(element("p", "fault", message));
  }

  insert(made) {
    if (this.block) this.block.insertBefore(made, this.facts);
    else (this.turn ?? this.place).append(made);
    return made;
  }
}

const seconds = (value) => `${value.toFixed(1)} s`;
const clip = (text) =>
  text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}\n[more is not shown here]` : text;
const preview = (text) => {
  const line = text.slice(0, 400).replace(/\s+/g, " ").trim();
  return line.length > 90 ? `${line.slice(0, 89)}…` : line;
};

/* One question, from the click to the answer. */
class Asking {
  constructor() {
    this.aborting = new AbortController();
    this.runs = new Map([["0", new RunView($("tree"))]]);
    this.began = performance.now();
  }

  async perform() {
    const answer = await fetch("/infer", {
      method: "POST",
      headers: headers({ Accept: "text/event-stream" }),
      body: requestBody(),
      signal: this.aborting.signal,
    });
    if (!answer.ok) throw await faultOf(answer);
    $("token-row").hidden = true;
    for await (const event of eventsOf(answer.body)) this.take(event);
  }

  take({ name, data }) {
    if (name === "end") return this.answered(data);
    if (name === "fault") throw Object.assign(data.error ?? data, { fault: data });
    if (name === "ledger_updated") return showUsage(data.usage);
    const method = name.replace(/_(.)/g, (_, letter) => letter.toUpperCase());
    const run = this.runs.get(data.run) ?? this.begin(data);
    if (typeof run?.[method] === "function") run[method](data);
    return undefined;
  }

  begin({ run, query }) {
    const parent = this.runs.get(run.slice(0, run.lastIndexOf(".")));
    if (!parent) return undefined;
    const made = new RunView(parent.placeOf(run, query));
    this.runs.set(run, made);
    return made;
  }

  answered(answer) {
    const turns = answer.turns === 1 ? "1 turn" : `${answer.turns} turns`;
    const notes = [`${answer.model}, ${turns}, ${seconds(answer.duration_ms / 1000)}`];
    if (answer.forced) notes.push("the model was out of turns and had to answer");
    if (answer.direct) notes.push("a short text: the model read it itself");
    showAnswer("Answer", answer.answer, notes.join("; "), answer.run_id);
    showUsage(answer.usage);
    say("answered");
  }
}

function requestBody() {
  const number = (id) => ($(id).value ? Number($(id).value) : undefined);
  const budget = { cost_usd: number("cost_usd"), seconds: number("seconds") };
  const fields = {
    query: $("query").value,
    model: $("model").value || undefined,
    max_iterations: number("max_iterations"),
    max_depth: number("max_depth"),
    budget: Object.values(budget).some((limit) => limit !== undefined) ? budget : undefined,
  };
  if (!chosen.length) return JSON.stringify({ ...fields, context: $("context").value });
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined) form.append(name, typeof value === "string" ? value : JSON.stringify(value));
  }
  if ($("context").value) form.append("context", new Blob([$("context").value]), "pasted text");
  for (const file of chosen) form.append("context", file, file.name);
  return form;
}

function showUsage(usage) {
  const number = (value) => value.toLocaleString();
  $("turns").textContent = number(usage.turns);
  $("calls").textContent = number(usage.calls);
  $("tokens-in").textContent = number(usage.input_tokens);
  $("tokens-out").textContent = number(usage.output_tokens);
  $("cost").textContent = costOf(usage);
}

function costOf({ calls, failed_calls, unpriced_calls, cost_usd }) {
  const money = `$${cost_usd.toFixed(cost_usd < 0.1 ? 4 : 2)}`;
  if (!unpriced_calls) return money;
  const priced = calls - failed_calls - unpriced_calls;
  return priced ? `${money} and ${unpriced_calls.toLocaleString()} unpriced` : "unpriced";
}

function showAnswer(title, text, note, runId) {
  $("answer-title").textContent = title;
  $("answer-text").textContent = text;
  $("answer-note").textContent = note;
  $("downloads").replaceChildren(...downloadsOf(runId));
  $("answer").hidden = false;
  $("answer").scrollIntoView({ block: "nearest" });
}

function downloadsOf(runId) {
  const kinds = [["Notebook", ".ipynb"], ["Log", ".jsonl"], ["Trajectory", ".json"]];
  return kinds.map(([label, ending]) => {
    const button = element("button", "quiet", `${label} (${ending})`);
    button.type = "button";
    const name = `run-${runId.slice(0, 8)}${ending}`;
    button.addEventListener("click", () => download(`/runs/${runId}${ending}`, name));
    return button;
  });
}

async function download(path, name) {
  const answer = await fetch(path, { headers: headers() });
  if (!answer.ok) return say((await faultOf(answer)).message, true);
  const link = element("a");
  link.href = URL.createObjectURL(await answer.blob());
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
  return undefined;
}

function say(text, bad = false) {
  $("state").textContent = text;
  $("state").classList.toggle("bad", bad);
}

let asking = null;

async function ask(event) {
  event.preventDefault();
  if (asking) return;
  asking = new Asking();
  $("tree").replaceChildren();
  for (const id of ["answer"]) $(id).hidden = true;
  for (const id of ["ledger", "steps"]) $(id).hidden = false;
  setBusy(true);
  say("working…");
  const { began } = asking;
  const clock = setInterval(() => {
    $("time").textContent = seconds((performance.now() - began) / 1000);
  }, 100);
  try {
    await asking.perform();
  } catch (error) {
    failed(error, asking);
  } finally {
    clearInterval(clock);
    asking = null;
    setBusy(false);
  }
}

function failed(error, { aborting }) {
  if (aborting.signal.aborted) return say("stopped");
  if (error.code === "unauthorized") {
    $("token-row").hidden = false;
    $("token").focus();
  }
  const { fault } = error;
  if (fault?.usage) showUsage(fault.usage);
  if (fault?.partial_answer) {
    showAnswer("The best answer until then", fault.partial_answer, error.message, fault.run_id);
  }
  return say(error.message || "the connection broke off", true);
}

function setBusy(busy) {
  document.body.classList.toggle("busy", busy);
  $("start").disabled = busy;
  $("stop").disabled = !busy;
}

let chosen = [];

function choose(files) {
  chosen = [...chosen, ...files];
  showChosen();
}

function showChosen() {
  $("chosen").replaceChildren(
    ...chosen.map((file) => {
      const item = element("li", "", `${file.name} (${file.size.toLocaleString()} bytes)`);
      const remove = item.appendChild(element("button", "", "×"));
      remove.type = "button";
      remove.setAttribute("aria-label", `Remove ${file.name}`);
      remove.addEventListener("click", () => {
        chosen = chosen.filter((each) => each !== file);
        showChosen();
      });
      return item;
    }),
  );
}

async function checkHealth() {
  const [dot, words] = $("health").children;
  try {
    const answer = await fetch("/ready", { headers: headers() });
    dot.className = `dot ${answer.ok ? "good" : "bad"}`;
    words.textContent = answer.ok
      ? `ready; the model is ${(await answer.json()).model}`
      : `not ready: ${(await faultOf(answer)).message}`;
    if (answer.ok && !$("model").options.length) await listModels();
  } catch {
    dot.className = "dot bad";
    words.textContent = "the service cannot be reached";
  }
}

async function listModels() {
  const answer = await fetch("/v1/models", { headers: headers() });
  if (!answer.ok) return;
  const { data } = await answer.json();
  $("model").replaceChildren(
    ...data.map(({ id }) => {
      const option = element("option", "", id === "rlm" ? "the default" : id);
      option.value = id;
      return option;
    }),
  );
}

$("ask").addEventListener("submit", ask);
$("stop").addEventListener("click", () => asking?.aborting.abort());
$("copy").addEventListener("click", async () => {
  await navigator.clipboard.writeText($("answer-text").textContent);
  say("copied");
});
$("files").addEventListener("change", ({ target }) => {
  choose(target.files);
  target.value = "";
});
$("query").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) $("ask").requestSubmit();
});
for (const name of ["dragover", "dragleave", "drop"]) {
  $("context").addEventListener(name, (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    $("context").classList.toggle("over", name === "dragover");
    if (name === "drop") choose(event.dataTransfer.files);
  });
}
$("token").addEventListener("change", checkHealth);
checkHealth();
setInterval(checkHealth, 15000);
