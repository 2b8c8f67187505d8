// What is drawn from when a token is drawn, and the beams of a search as they grow.

const COLUMN = 112;
const ROW = 30;

// The arithmetic.

function keptProbabilities({ logits, temperature, top_k: topK, top_p: topP }) {
  const tempered = logits.map((logit) => logit / temperature);
  const largest = Math.max(...tempered);
  const order = tempered.map((_, index) => index).sort((a, b) => tempered[b] - tempered[a] || a - b);
  const likely = tempered.map((logit) => Math.exp(logit - largest));
  order.slice(topK).forEach((index) => (likely[index] = 0));
  const normalise = () => {
    const total = likely.reduce((sum, value) => sum + value, 0);
    likely.forEach((value, index) => (likely[index] = value / total));
  };
  normalise();
  let before = 0;
  order.forEach((index, rank) => {
    const own = likely[index];
    if (topP < 1 && rank > 0 && before >= topP) likely[index] = 0;
    before += own;
  });
  normalise();
  return likely;
}

function beginning(steps, step, place) {
  const words = [];
  for (let at = step; at > 0; at -= 1) {
    const one = steps[at - 1][place];
    words.unshift(one.token);
    place = one.of;
  }
  return words.join(" ");
}

function read(model) {
  const names = ["tokens", "logits", "steps", "temperature", "top_k", "top_p", "step"];
  const state = Object.fromEntries(names.map((name) => [name, model.get(name)]));
  return { ...state, likely: keptProbabilities(state) };
}

// Small tools for the page.

function element(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

function shape(tag, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

// The parts of the figure. Each is a node and a function that draws the state into it.

function slider(model, name, label, range, shown) {
  const input = element("input", { type: "range", ...range });
  const output = element("output");
  input.addEventListener("input", () => model.set(name, input.valueAsNumber));
  input.addEventListener("change", () => model.save_changes());
  const node = element("label", { class: "explorer-row" }, element("span", {}, label), input, output);
  const draw = (state) => {
    input.value = state[name];
    output.textContent = shown(state[name]);
    input.setAttribute("aria-valuetext", output.textContent);
  };
  return { node, draw };
}

function bars(model) {
  const rows = model.get("tokens").map((token) => {
    const bar = element("span", { class: "explorer-bar" });
    const number = element("span", { class: "explorer-number" });
    const node = element("tr", {}, element("th", { scope: "row" }, token), element("td", {}, bar, number));
    return { node, bar, number };
  });
  const node = element("table", {}, element("tbody", {}, ...rows.map((row) => row.node)));
  const draw = ({ likely }) =>
    rows.forEach(({ node: row, bar, number }, index) => {
      row.dataset.probability = likely[index];
      row.classList.toggle("explorer-cut", likely[index] === 0);
      bar.style.setProperty("--explorer-weight", likely[index]);
      number.textContent = likely[index] === 0 ? "cut" : likely[index].toFixed(2);
    });
  return { node, draw };
}

function tree() {
  const node = element("div", { class: "explorer-tree", tabindex: 0 });
  const draw = ({ steps, step }) => {
    const widest = Math.max(...steps.map((candidates) => candidates.length));
    const [width, height] = [COLUMN * (steps.length + 1), ROW * (widest + 0.5)];
    const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, width, height, "aria-hidden": "true" });
    const at = (column, place) => [COLUMN * column + 6, ROW * (place + 0.75)];
    steps.slice(0, step).forEach((candidates, index) => {
      candidates.forEach((one, place) => {
        const [x, y] = at(index + 1, place);
        const [fromX, fromY] = index ? at(index, one.of) : at(0.6, 0);
        const kind = one.ended ? "ended" : one.kept ? "kept" : "dropped";
        const group = shape("g", { class: `explorer-${kind}`, "data-kind": kind });
        const begin = index ? fromX + COLUMN - 34 : fromX;
        group.append(
          shape("line", { x1: begin, y1: fromY, x2: x - 4, y2: y }),
          shape("text", { x, y: y + 1 }, one.token),
          shape("text", { x, y: y + 12, class: "explorer-score" }, one.score.toFixed(2)),
        );
        svg.append(group);
      });
    });
    node.replaceChildren(svg);
    node.scrollLeft = Math.max(0, COLUMN * (step + 1) - node.clientWidth);
  };
  return { node, draw };
}

function sentenceLine() {
  const node = element("p", { class: "explorer-sentence", "aria-live": "polite" });
  const draw = ({ steps, step }) => {
    const here = steps[step - 1].map((one, place) => ({ ...one, text: beginning(steps, step, place) }));
    const kept = here.filter((one) => one.kept).map((one) => `“${one.text}” (${one.score.toFixed(2)})`);
    const ended = here.filter((one) => one.ended).map((one) => `“${one.text}” (${one.score.toFixed(2)})`);
    const parts = [kept.length ? `Step ${step} keeps ${kept.join(", ")}.` : `Step ${step} keeps nothing.`];
    if (ended.length) parts.push(`Ended: ${ended.join(", ")}.`);
    node.textContent = parts.join(" ");
  };
  return { node, draw };
}

// The figure.

function heading(title, note) {
  return element("p", { class: "explorer-note" }, element("b", {}, title), ` ${note}`);
}

function render({ model, el }) {
  let parts = [];

  function draw() {
    const state = read(model);
    parts.forEach((part) => part.draw(state));
  }

  function build() {
    const number = model.get("tokens").length;
    const distribution = bars(model);
    const temperature = slider(model, "temperature", "temperature", { min: 0.1, max: 5, step: 0.1 }, (t) => t.toFixed(1));
    const topK = slider(model, "top_k", "top-k", { min: 1, max: number, step: 1 }, (k) => (k === number ? "all" : `${k}`));
    const topP = slider(model, "top_p", "top-p", { min: 0.05, max: 1, step: 0.05 }, (p) => p.toFixed(2));
    const steps = { min: 1, max: model.get("steps").length, step: 1 };
    const step = slider(model, "step", "step of the search", steps, (n) => `${n}`);
    const [branches, words] = [tree(), sentenceLine()];
    parts = [distribution, temperature, topK, topP, step, branches, words];
    el.replaceChildren(
      heading("the next token", "what is drawn from"),
      temperature.node,
      topK.node,
      topP.node,
      distribution.node,
      heading("beam search", "each token with the sum of log-probabilities so far"),
      step.node,
      branches.node,
      words.node,
    );
    el.setAttribute("aria-label", model.get("description"));
    draw();
  }

  el.classList.add("explorer", "explorer-generation");
  el.setAttribute("role", "group");
  el.dataset.lmSuppressShortcuts = "true"; // JupyterLab leaves our keys to us.
  build();

  const reactions = { temperature: draw, top_k: draw, top_p: draw, step: draw };
  Object.assign(reactions, { tokens: build, logits: build, steps: build, description: build });
  for (const [name, react] of Object.entries(reactions)) model.on(`change:${name}`, react);
  return () => {
    for (const [name, react] of Object.entries(reactions)) model.off(`change:${name}`, react);
  };
}

export default { render };
