// A query to drag among keys: scores, weights, and the average of the values that follow from them.

const REACH = 2.2; // The plane shows -REACH to REACH in both directions.
const SIDE = 240;
const RADIUS = 5;
const SATURATED = 0.05;

// The arithmetic. In the plane a product is what it is; of d numbers it is about the root of d times as large.

function attend({ query, key_points: keys, value_points: values, mask, size, scaled }) {
  const grow = scaled ? 1 : Math.sqrt(size);
  const scores = keys.map((key) => grow * (query[0] * key[0] + query[1] * key[1]));
  const largest = Math.max(...scores.filter((_, index) => mask[index]));
  const exponentials = scores.map((score, index) => (mask[index] ? Math.exp(score - largest) : 0));
  const total = exponentials.reduce((sum, value) => sum + value, 0);
  const weights = exponentials.map((value) => (total > 0 ? value / total : 0));
  const output = [0, 1].map((axis) =>
    weights.reduce((sum, weight, index) => sum + weight * values[index][axis], 0),
  );
  const left = weights.reduce((sum, weight) => sum + weight * (1 - weight), 0);
  return { scores, weights, output, left };
}

function read(model) {
  const names = ["tokens", "query", "key_points", "value_points", "mask", "size", "scaled"];
  const state = Object.fromEntries(names.map((name) => [name, model.get(name)]));
  return { ...state, ...attend(state) };
}

function verdictOf({ mask, left }) {
  if (!mask.some(Boolean)) return "nowhere";
  const seen = mask.filter(Boolean).length;
  return seen > 1 && left < SATURATED ? "saturated" : "good";
}

function sentence(state) {
  const verdict = verdictOf(state);
  if (verdict === "nowhere") return "The query may look nowhere: weights and output are zeros.";
  const order = state.weights.map((_, index) => index).sort((a, b) => state.weights[b] - state.weights[a]);
  const most = `Most weight goes to ${state.tokens[order[0]]}, ${state.weights[order[0]].toFixed(2)}.`;
  const left = `Of the gradient ${state.left.toFixed(2)} is left`;
  if (verdict === "saturated") return `${most} ${left}: the softmax is saturated, and nothing would be learned.`;
  return `${most} ${left}.`;
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

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

const across = (x) => ((x + REACH) / (2 * REACH)) * SIDE;
const down = (y) => across(-y);
const within = (number) => Math.round(100 * Math.max(-REACH + 0.2, Math.min(REACH - 0.2, number))) / 100;

// The parts of the figure. Each is a node and a function that draws the state into it.

function plane(label, ...children) {
  const half = SIDE / 2;
  const axes = [
    shape("line", { class: "explorer-axis", x1: 0, y1: half, x2: SIDE, y2: half }),
    shape("line", { class: "explorer-axis", x1: half, y1: 0, x2: half, y2: SIDE }),
  ];
  return shape("svg", { viewBox: `0 0 ${SIDE} ${SIDE}`, role: "group", "aria-label": label }, ...axes, ...children);
}

function point([x, y], name, kind) {
  const dot = shape("circle", { class: kind, cx: across(x), cy: down(y), r: RADIUS });
  const anchor = x > 1.2 ? "end" : x < -1.2 ? "start" : "middle";
  const text = shape("text", { x: across(x), y: down(y) + (y > 0 ? -16 : 24), "text-anchor": anchor }, name);
  return shape("g", {}, dot, text);
}

function arrow(kind) {
  return shape("line", { class: kind, x1: SIDE / 2, y1: SIDE / 2 });
}

function pointTo(line, [x, y]) {
  line.setAttribute("x2", across(x));
  line.setAttribute("y2", down(y));
}

function queryPlane(model) {
  const points = model.get("tokens").map((token, index) => {
    const node = point(model.get("key_points")[index], token, "explorer-key");
    const line = arrow("explorer-reach");
    pointTo(line, model.get("key_points")[index]);
    node.prepend(line);
    return node;
  });
  const line = arrow("explorer-query-line");
  const handle = shape("circle", { class: "explorer-query", r: 9, tabindex: 0, role: "slider" });
  handle.setAttribute("aria-label", "query");
  const svg = plane("keys and the query, which can be dragged", ...points, line, handle);
  svg.classList.add("explorer-drag");
  dragWithPointer(svg, handle, model);
  moveWithKeys(handle, model);
  const draw = ({ query, mask }) => {
    pointTo(line, query);
    handle.setAttribute("cx", across(query[0]));
    handle.setAttribute("cy", down(query[1]));
    handle.setAttribute("aria-valuenow", Math.round((Math.atan2(query[1], query[0]) * 180) / Math.PI));
    handle.setAttribute("aria-valuemin", -180);
    handle.setAttribute("aria-valuemax", 180);
    handle.setAttribute("aria-valuetext", `${query[0].toFixed(2)} across, ${query[1].toFixed(2)} up`);
    points.forEach((node, index) => node.classList.toggle("explorer-hidden", !mask[index]));
  };
  return { node: svg, draw };
}

function valuePlane(model) {
  const values = model.get("value_points");
  const points = model.get("tokens").map((token, index) => point(values[index], token, "explorer-value"));
  const line = arrow("explorer-output-line");
  const output = shape("circle", { class: "explorer-output", r: 7 });
  const svg = plane("values and the output, their average", ...points, line, output);
  const draw = (state) => {
    pointTo(line, state.output);
    output.setAttribute("cx", across(state.output[0]));
    output.setAttribute("cy", down(state.output[1]));
    output.dataset.output = JSON.stringify(state.output);
    points.forEach((node, index) => {
      node.firstChild.setAttribute("r", RADIUS + 9 * state.weights[index]);
      node.classList.toggle("explorer-hidden", !state.mask[index]);
    });
  };
  return { node: svg, draw };
}

function weightTable(model) {
  const heads = ["may look", "score", "weight"].map((text) => element("th", { scope: "col" }, text));
  const rows = model.get("tokens").map((token, index) => {
    const button = element("button", { type: "button" }, token);
    button.addEventListener("click", () => {
      model.set("mask", model.get("mask").map((may, other) => (other === index ? !may : may)));
      model.save_changes();
    });
    const bar = element("span", { class: "explorer-bar" });
    const number = element("span", { class: "explorer-number" });
    const score = element("td", { class: "explorer-number" });
    const head = element("th", { scope: "row" }, element("span", { class: "explorer-buttons" }, button));
    const node = element("tr", {}, head, score, element("td", {}, bar, number));
    return { node, button, score, bar, number };
  });
  const head = element("thead", {}, element("tr", {}, ...heads));
  const node = element("table", {}, head, element("tbody", {}, ...rows.map((row) => row.node)));
  const draw = ({ scores, weights, mask }) => {
    rows.forEach(({ node, button, score, bar, number }, index) => {
      button.setAttribute("aria-pressed", mask[index]);
      node.dataset.score = scores[index];
      node.dataset.weight = weights[index];
      setText(score, mask[index] ? scores[index].toFixed(2) : "hidden");
      setText(number, weights[index].toFixed(2));
      bar.style.setProperty("--explorer-weight", weights[index]);
    });
  };
  return { node, draw };
}

function sizeSlider(model) {
  const input = element("input", { type: "range", min: 0, max: 10, step: 1 });
  const output = element("output");
  input.addEventListener("input", () => model.set("size", 2 ** input.valueAsNumber));
  input.addEventListener("change", () => model.save_changes());
  const node = element("label", { class: "explorer-row" }, element("span", {}, "numbers in a vector"), input, output);
  const draw = ({ size }) => {
    input.value = Math.log2(size);
    input.setAttribute("aria-valuetext", `d = ${size}`);
    setText(output, `d = ${size}`);
  };
  return { node, draw };
}

function scaleChoice(model) {
  const group = `explorer-scale-${Math.random()}`;
  const options = { true: "divided by √d", false: "as they are" };
  const inputs = Object.keys(options).map((value) => element("input", { type: "radio", name: group, value }));
  for (const input of inputs) {
    input.addEventListener("change", () => {
      model.set("scaled", input.value === "true");
      model.save_changes();
    });
  }
  const labels = inputs.map((input) => element("label", {}, input, options[input.value]));
  const attributes = { class: "explorer-row", role: "radiogroup", "aria-label": "scores" };
  const node = element("div", attributes, element("span", {}, "scores"), ...labels);
  const draw = ({ scaled }) => inputs.forEach((input) => (input.checked = input.value === String(scaled)));
  return { node, draw };
}

function sentenceLine() {
  const node = element("p", { class: "explorer-sentence", "aria-live": "polite" });
  const draw = (state) => {
    node.dataset.verdict = verdictOf(state);
    setText(node, sentence(state));
  };
  return { node, draw };
}

// What the reader does.

function dragWithPointer(svg, handle, model) {
  let dragging = false;
  const follow = ({ clientX, clientY }) => {
    const { left, top, width, height } = svg.getBoundingClientRect();
    const x = ((clientX - left) / width) * 2 * REACH - REACH;
    const y = REACH - ((clientY - top) / height) * 2 * REACH;
    model.set("query", [within(x), within(y)]);
  };
  svg.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    handle.focus({ preventScroll: true });
    svg.setPointerCapture(event.pointerId);
    dragging = true;
    follow(event);
  });
  svg.addEventListener("pointermove", (event) => dragging && follow(event));
  const finish = () => {
    if (dragging) model.save_changes();
    dragging = false;
  };
  svg.addEventListener("pointerup", finish);
  svg.addEventListener("pointercancel", finish);
}

const MOVES = { ArrowUp: [0, 0.1], ArrowDown: [0, -0.1], ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0] };

function moveWithKeys(handle, model) {
  handle.addEventListener("keydown", (event) => {
    if (!(event.key in MOVES)) return;
    const far = event.shiftKey ? 5 : 1;
    model.set("query", model.get("query").map((part, axis) => within(part + far * MOVES[event.key][axis])));
    model.save_changes();
    event.preventDefault();
  });
}

// The figure.

function panel(title, note, node) {
  const caption = element("p", { class: "explorer-note" }, element("b", {}, title), ` ${note}`);
  return element("div", { class: "explorer-plane" }, caption, node);
}

function render({ model, el }) {
  let parts = [];

  function draw() {
    const state = read(model);
    parts.forEach((part) => part.draw(state));
  }

  function build() {
    const [query, value, table] = [queryPlane(model), valuePlane(model), weightTable(model)];
    const [words, size, scale] = [sentenceLine(), sizeSlider(model), scaleChoice(model)];
    parts = [query, value, table, words, size, scale];
    const planes = element(
      "div",
      { class: "explorer-planes" },
      panel("query and keys", "drag the query", query.node),
      panel("values and output", "a large dot weighs much", value.node),
    );
    el.replaceChildren(planes, table.node, words.node, size.node, scale.node);
    el.setAttribute("aria-label", model.get("description"));
    draw();
  }

  el.classList.add("explorer", "explorer-attention");
  el.setAttribute("role", "group");
  el.dataset.lmSuppressShortcuts = "true"; // JupyterLab leaves our keys to us.
  build();

  const reactions = { query: draw, mask: draw, size: draw, scaled: draw };
  Object.assign(reactions, { tokens: build, key_points: build, value_points: build, description: build });
  for (const [name, react] of Object.entries(reactions)) model.on(`change:${name}`, react);
  return () => {
    for (const [name, react] of Object.entries(reactions)) model.off(`change:${name}`, react);
  };
}

export default { render };
