// A translation to edit beside its reference: n-grams matched and clipped, brevity, and three scores.

// The arithmetic. What Python takes for white space, a browser does not quite; both count characters, not code units.

const SPACE = "[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]+";
const SPACES = new RegExp(SPACE, "gu");
const AT_THE_END = new RegExp(`${SPACE}$`, "u");

function bleuTokens(text) {
  const bare = text
    .replace(AT_THE_END, "")
    .replaceAll("<skipped>", "")
    .replaceAll("-\n", "")
    .replaceAll("\n", " ")
    .replaceAll("&quot;", '"')
    .replaceAll("&amp;", "&")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">");
  return ` ${bare} `
    .replace(/([{-~[-` -&(-+:-@/])/gu, " $1 ")
    .replace(/([^0-9])([.,])/gu, "$1 $2 ")
    .replace(/([.,])([^0-9])/gu, " $1 $2")
    .replace(/([0-9])(-)/gu, "$1 $2 ")
    .split(SPACES)
    .filter(Boolean);
}

function rougeTokens(text) {
  return text.toLowerCase().match(/[a-z0-9]+/g) ?? [];
}

function characters(text) {
  return Array.from(text.replace(SPACES, ""));
}

function ngrams(tokens, n) {
  const places = Math.max(0, tokens.length - n + 1);
  return Array.from({ length: places }, (_, start) => tokens.slice(start, start + n));
}

function counted(grams) {
  const counts = new Map();
  for (const gram of grams) {
    const key = gram.join("\0");
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}

// Each n-gram of the hypothesis in turn: matched, clipped (a reference has it, but not so often), or missing.
function verdicts(tokens, references, n) {
  const allowed = new Map();
  for (const reference of references) {
    for (const [key, count] of counted(ngrams(reference, n))) {
      allowed.set(key, Math.max(count, allowed.get(key) ?? 0));
    }
  }
  const used = new Map();
  return ngrams(tokens, n).map((gram) => {
    const key = gram.join("\0");
    const times = (used.get(key) ?? 0) + 1;
    used.set(key, times);
    const most = allowed.get(key) ?? 0;
    return { gram, verdict: times <= most ? "matched" : most ? "clipped" : "missing" };
  });
}

function bleuOf(hypothesis, references) {
  const tokens = bleuTokens(hypothesis);
  const others = references.map(bleuTokens);
  const distance = (length) => Math.abs(length - tokens.length);
  const lengths = others.map((other) => other.length).sort((a, b) => distance(a) - distance(b) || a - b);
  const orders = [1, 2, 3, 4].map((n) => verdicts(tokens, others, n));
  const matched = orders.map((grams) => grams.filter(({ verdict }) => verdict === "matched").length);
  const length = tokens.length;
  const brevity = length === 0 ? 0 : Math.min(1, Math.exp(1 - lengths[0] / length));
  const parts = { orders, matched, length, wanted: lengths[0], brevity };
  if (!matched.some(Boolean) || !orders.every((grams) => grams.length)) return { ...parts, bleu: 0 };
  let share = 1;
  const logarithms = orders.map((grams, index) => {
    if (!matched[index]) share /= 2;
    return Math.log((matched[index] || share) / grams.length);
  });
  const mean = logarithms.reduce((sum, value) => sum + value, 0) / 4;
  return { ...parts, bleu: 100 * brevity * Math.exp(mean) };
}

function chrfOf(hypothesis, references) {
  const ours = characters(hypothesis);
  const scores = references.map((reference) => {
    const theirs = characters(reference);
    let [precision, recall, orders] = [0, 0, 0];
    for (let n = 1; n <= Math.min(6, ours.length, theirs.length); n += 1) {
      const right = counted(ngrams(theirs, n));
      let hits = 0;
      for (const [key, count] of counted(ngrams(ours, n))) hits += Math.min(count, right.get(key) ?? 0);
      precision += hits / (ours.length - n + 1);
      recall += hits / (theirs.length - n + 1);
      orders += 1;
    }
    return precision && recall ? (500 * precision * recall) / (4 * precision + recall) / orders : 0;
  });
  return Math.max(...scores);
}

function rougeOf(hypothesis, references) {
  const ours = rougeTokens(hypothesis);
  const scores = references.map((reference) => {
    const theirs = rougeTokens(reference);
    let row = Array(theirs.length + 1).fill(0);
    for (const token of ours) {
      const above = row;
      row = [0];
      theirs.forEach((other, j) => row.push(token === other ? above[j] + 1 : Math.max(above[j + 1], row[j])));
    }
    return (200 * row.at(-1)) / Math.max(1, ours.length + theirs.length);
  });
  return Math.max(...scores);
}

// What there is to draw.

function read(model) {
  const [hypothesis, references] = [model.get("hypothesis"), model.get("references")];
  return {
    ...bleuOf(hypothesis, references),
    chrf: chrfOf(hypothesis, references),
    rouge: rougeOf(hypothesis, references),
  };
}

function sentence({ orders, matched, length, wanted, brevity }) {
  if (!length) return "Nothing was written, and nothing can match.";
  const clipped = orders[0].filter(({ verdict }) => verdict === "clipped").length;
  const parts = [`${matched[0]} of ${length} words and marks are matched`];
  if (clipped) parts.push(`, ${clipped} clipped`);
  parts.push(`. The reference has ${wanted}: `);
  parts.push(brevity < 1 ? `brevity costs ${(100 * (1 - brevity)).toFixed(0)}%.` : "no brevity penalty.");
  return parts.join("");
}

// Small tools for the page.

function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// The parts of the figure. Each is a node and a function that draws the state into it.

function exampleButtons(model) {
  const examples = model.get("examples");
  const buttons = Object.keys(examples).map((name) => {
    const button = element("button", { type: "button" }, name);
    button.addEventListener("click", () => {
      model.set("hypothesis", examples[name]);
      model.save_changes();
    });
    return button;
  });
  const node = element("div", { class: "explorer-buttons", role: "group", "aria-label": "examples" }, ...buttons);
  const draw = () => {
    for (const button of buttons) {
      button.setAttribute("aria-pressed", examples[button.textContent] === model.get("hypothesis"));
    }
  };
  return { node, draw };
}

function textBox(model, label, get, set) {
  const input = element("textarea", { rows: 2, spellcheck: "false", autocomplete: "off", maxlength: 400 });
  input.addEventListener("input", () => set(input.value));
  input.addEventListener("change", () => model.save_changes());
  const node = element("label", { class: "explorer-text" }, element("span", {}, label), input);
  const draw = () => {
    if (input.value !== get()) input.value = get();
  };
  return { node, draw };
}

function hypothesisBox(model) {
  const set = (text) => model.set("hypothesis", text);
  return textBox(model, "translation", () => model.get("hypothesis"), set);
}

function referenceBoxes(model) {
  const boxes = model.get("references").map((_, index) => {
    const label = index ? `reference ${index + 1}` : "reference";
    const set = (text) => model.set("references", model.get("references").with(index, text));
    return textBox(model, label, () => model.get("references")[index], set);
  });
  const node = element("div", { class: "explorer-references" }, ...boxes.map((box) => box.node));
  return { node, draw: () => boxes.forEach((box) => box.draw()) };
}

const ORDERS = ["words", "pairs", "triples", "fours"];

function gramRows() {
  const rows = ORDERS.map((name) => {
    const count = element("output");
    const list = element("ol", { "aria-label": name });
    const row = element("div", { class: "explorer-grams" }, element("span", {}, name, " ", count), list);
    return { row, count, list };
  });
  const key = element("p", { class: "explorer-key" });
  for (const verdict of ["matched", "clipped", "missing"]) {
    key.append(element("span", { class: "explorer-gram", "data-verdict": verdict }, verdict), " ");
  }
  const node = element("div", {}, key, ...rows.map(({ row }) => row));
  const draw = ({ orders, matched }) => {
    rows.forEach(({ count, list }, index) => {
      setText(count, `${matched[index]}/${orders[index].length}`);
      const chips = orders[index].map(({ gram, verdict }) => {
        const title = `${gram.join(" ")}: ${verdict}`;
        return element("li", { class: "explorer-gram", "data-verdict": verdict, title }, gram.join(" "));
      });
      list.replaceChildren(...chips);
    });
  };
  return { node, draw };
}

function scoreBars() {
  const names = { bleu: "BLEU", chrf: "chrF", rouge: "ROUGE-L", brevity: "brevity" };
  const bars = Object.entries(names).map(([key, name]) => {
    const bar = element("span", { class: "explorer-bar" });
    const output = element("output", { "data-score": key });
    const line = element("div", { class: "explorer-score" }, element("span", {}, name), element("span", {}, bar), output);
    return { key, bar, output, line };
  });
  const node = element("div", { class: "explorer-scores" }, ...bars.map(({ line }) => line));
  const draw = (state) => {
    for (const { key, bar, output } of bars) {
      const value = state[key];
      bar.style.width = `${key === "brevity" ? 100 * value : value}%`;
      output.dataset.value = value;
      setText(output, value.toFixed(key === "brevity" ? 2 : 1));
    }
  };
  return { node, draw };
}

function sentenceLine() {
  const node = element("p", { class: "explorer-sentence", "aria-live": "polite" });
  return { node, draw: (state) => setText(node, sentence(state)) };
}

// The figure.

function render({ model, el }) {
  const makers = [exampleButtons, hypothesisBox, referenceBoxes, scoreBars, gramRows, sentenceLine];
  const parts = makers.map((make) => make(model));

  function draw() {
    const state = read(model);
    parts.forEach((part) => part.draw(state));
    el.setAttribute("aria-label", model.get("description"));
  }

  el.classList.add("explorer", "explorer-evaluation");
  el.setAttribute("role", "group");
  el.dataset.lmSuppressShortcuts = "true"; // JupyterLab leaves our keys to us.
  el.replaceChildren(...parts.map((part) => part.node));
  draw();

  const names = ["hypothesis", "references", "description"];
  for (const name of names) model.on(`change:${name}`, draw);
  return () => {
    for (const name of names) model.off(`change:${name}`, draw);
  };
}

export default { render };
