// A stack of layers: the size of its stream and of its gradient, layer by layer.

const JOINS = ["replaced", "added", "post-norm", "pre-norm"];
const MEANING = {
  replaced: "f(x)",
  added: "x + f(x)",
  "post-norm": "norm(x + f(x))",
  "pre-norm": "x + f(norm(x))",
};
const SCALES = [0.25, 0.5, 1, 2, 4];
const DEEPEST = 48;
const [TOKENS, SIZE, HIDDEN, EPS] = [8, 16, 32, 1e-5];
const [VANISHED, EXPLODED] = [1e-3, 1e3];

// The arithmetic. A tensor is a list of vectors, a matrix a list of rows.

function mulberry32(seed) {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function draw({ depth, scale, seed }) {
  const random = mulberry32(seed);
  const uniform = (rows, columns, bound) =>
    Array.from({ length: rows }, () => Array.from({ length: columns }, () => bound * (2 * random() - 1)));
  const matrix = (rows, columns) => uniform(rows, columns, scale * Math.sqrt(6 / (rows + columns)));
  const x = uniform(TOKENS, SIZE, Math.sqrt(3));
  const direction = uniform(TOKENS, SIZE, Math.sqrt(3));
  const layer = () => ({ value: matrix(SIZE, SIZE), up: matrix(HIDDEN, SIZE), down: matrix(SIZE, HIDDEN) });
  return { x, direction, layers: Array.from({ length: depth }, layer) };
}

const mean = (vector) => vector.reduce((sum, number) => sum + number, 0) / vector.length;
const add = (one, other) => one.map((vector, row) => vector.map((number, i) => number + other[row][i]));

// A linear layer, and the way back through it.
const apply = (matrix, x) => x.map((v) => matrix.map((row) => row.reduce((sum, w, i) => sum + w * v[i], 0)));
const applyBack = (matrix, gradient) =>
  gradient.map((v) => matrix[0].map((_, i) => matrix.reduce((sum, row, j) => sum + row[i] * v[j], 0)));

// An attention that looks at all of its past evenly: token t has the average of the tokens up to t.
function look({ value }) {
  const average = (x) =>
    x.map((_, token) => x[0].map((_, i) => mean(x.slice(0, token + 1).map((vector) => vector[i]))));
  const averageBack = (gradient) =>
    gradient.map((vector, token) =>
      vector.map((_, i) => gradient.slice(token).reduce((sum, later, k) => sum + later[i] / (token + k + 1), 0)),
    );
  return {
    forward: (x) => apply(value, average(x)),
    back: (gradient) => averageBack(applyBack(value, gradient)),
  };
}

// A feed-forward network without biases.
function think({ up, down }) {
  let hidden;
  return {
    forward(x) {
      hidden = apply(up, x);
      return apply(down, hidden.map((vector) => vector.map((number) => Math.max(0, number))));
    },
    back(gradient) {
      const cut = applyBack(down, gradient);
      return applyBack(up, cut.map((vector, row) => vector.map((number, i) => (hidden[row][i] > 0 ? number : 0))));
    },
  };
}

function normParts(vector) {
  const middle = mean(vector);
  const centred = vector.map((number) => number - middle);
  const deviation = Math.sqrt(mean(centred.map((number) => number * number)) + EPS);
  return { normalised: centred.map((number) => number / deviation), deviation };
}

const norm = (x) => x.map((vector) => normParts(vector).normalised);

function normBack(x, gradient) {
  return x.map((vector, row) => {
    const { normalised, deviation } = normParts(vector);
    const middle = mean(gradient[row]);
    const along = mean(gradient[row].map((number, i) => number * normalised[i]));
    return gradient[row].map((number, i) => (number - middle - normalised[i] * along) / deviation);
  });
}

const size = (x) => Math.sqrt(mean(x.map((vector) => mean(vector.map((number) => number * number)))));

// Forward and back; the sizes of the stream and of the gradient before each layer and at the end.
function sizes(state) {
  const { x: first, direction, layers } = draw(state);
  const { join } = state;
  const steps = [];
  const stream = [size(first)];
  let x = first;
  for (const branch of layers.flatMap((layer) => [look(layer), think(layer)])) {
    const given = branch.forward(join === "pre-norm" ? norm(x) : x);
    const total = join === "replaced" ? given : add(x, given);
    steps.push({ branch, before: x, total });
    x = join === "post-norm" ? norm(total) : total;
    stream.push(size(x));
  }
  let gradient = normBack(x, direction);
  const back = [size(gradient)];
  for (const { branch, before, total } of steps.reverse()) {
    if (join === "post-norm") gradient = normBack(total, gradient);
    let through = branch.back(gradient);
    if (join === "pre-norm") through = normBack(before, through);
    gradient = join === "replaced" ? through : add(gradient, through);
    back.push(size(gradient));
  }
  const ofLayers = (values) => values.filter((_, index) => index % 2 === 0);
  return { stream: ofLayers(stream), gradient: ofLayers(back.reverse()) };
}

function read(model) {
  const state = Object.fromEntries(["depth", "join", "scale", "seed"].map((name) => [name, model.get(name)]));
  const { stream, gradient } = sizes(state);
  const end = gradient[gradient.length - 1];
  return {
    ...state,
    stream: stream.map((number) => number / stream[0]),
    gradient: gradient.map((number) => number / end),
  };
}

function verdictOf({ stream, gradient }) {
  const largest = Math.max(...stream, ...gradient);
  if (largest > EXPLODED) return "explodes";
  return gradient[0] < VANISHED ? "vanishes" : "good";
}

const RAISED = Object.fromEntries([..."-0123456789"].map((digit, i) => [digit, "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"[i]]));
const raised = (number) => [...String(number)].map((digit) => RAISED[digit]).join("");

function power(exponent) {
  const plain = { 0: "1", 1: "10", "-1": "0.1" };
  return plain[exponent] ?? `10${raised(exponent)}`;
}

function times(number) {
  if (number === 0) return "0";
  if (number >= 0.01 && number < 1000) return number.toFixed(number < 100 ? 2 : 0);
  const exponent = Math.floor(Math.log10(number));
  return `${(number / 10 ** exponent).toFixed(1)}·10${raised(exponent)}`;
}

const ENDS = {
  good: "Both keep a size that can be trained.",
  vanishes: "The gradient vanishes: the first layers learn nothing.",
  explodes: "Numbers explode: the first step of a training would ruin the weights.",
};

function sentence(state) {
  const layers = state.depth === 1 ? "one layer" : `${state.depth} layers`;
  const grown = times(state.stream[state.depth]);
  const back = times(state.gradient[0]);
  const sizesOf = `Through ${layers} the stream gets ${grown} times its size, the gradient on its way back ${back} times.`;
  return `${sizesOf} ${ENDS[verdictOf(state)]}`;
}

// Small tools for the page.

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

const element = (tag, attributes = {}, ...children) => filled(document.createElement(tag), attributes, children);

const shape = (tag, attributes = {}, ...children) =>
  filled(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// The parts of the figure. Each is a node and a function that draws the state into it.

function joinButtons(model) {
  const buttons = JOINS.map((join) =>
    element("button", { type: "button", "data-join": join }, `${join}: ${MEANING[join]}`),
  );
  for (const button of buttons) {
    button.addEventListener("click", () => {
      model.set("join", button.dataset.join);
      model.save_changes();
    });
  }
  const node = element("div", { class: "explorer-buttons", role: "group", "aria-label": "how branches are joined" });
  node.append(...buttons);
  const draw = ({ join }) => {
    for (const button of buttons) button.setAttribute("aria-pressed", button.dataset.join === join);
  };
  return { node, draw };
}

function slider(model, name, label, range, toValue, toPlace, words) {
  const input = element("input", { type: "range", step: 1, "aria-label": label, ...range });
  const output = element("output", { "aria-hidden": "true" });
  input.addEventListener("input", () => model.set(name, toValue(input.valueAsNumber)));
  input.addEventListener("change", () => model.save_changes());
  const node = element("div", { class: "explorer-setting" }, element("span", { "aria-hidden": "true" }, label), input, output);
  const draw = (state) => {
    input.value = toPlace(state[name]);
    input.setAttribute("aria-valuetext", words(state[name]));
    setText(output, words(state[name]));
  };
  return { node, draw };
}

function depthSlider(model) {
  const same = (number) => number;
  return slider(model, "depth", "layers", { min: 1, max: DEEPEST }, same, same, String);
}

function scaleSlider(model) {
  const range = { min: 0, max: SCALES.length - 1 };
  const place = (scale) => SCALES.indexOf(scale);
  return slider(model, "scale", "size of the weights", range, (index) => SCALES[index], place, (scale) => `× ${scale}`);
}

function weightsButton(model) {
  const button = element("button", { type: "button" }, "other weights");
  button.addEventListener("click", () => {
    model.set("seed", (model.get("seed") + 1) % 2 ** 31);
    model.save_changes();
  });
  const node = element("div", { class: "explorer-buttons" }, button);
  return { node, draw: ({ seed }) => (button.dataset.seed = seed) };
}

const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [300, 170, 44, 8, 8, 22];

function decades(values) {
  const present = values.filter((value) => value > 0 && Number.isFinite(value)).map(Math.log10);
  const low = Math.min(-1, Math.floor(Math.min(...present)));
  return [low, Math.max(1, Math.ceil(Math.max(...present)))];
}

function chart(name, title, note) {
  const svg = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, "aria-hidden": "true" });
  const caption = element("p", { class: "explorer-note" }, element("b", {}, title), ` ${note}`);
  const node = element("div", { class: "explorer-chart", "data-chart": name }, caption, svg);
  const draw = (state) => {
    const values = state[name];
    const [low, high] = decades(values);
    const last = values.length - 1;
    const across = (index) => LEFT + (index / last) * (WIDTH - LEFT - RIGHT);
    const down = (exponent) => TOP + ((high - exponent) / (high - low)) * (HEIGHT - TOP - BOTTOM);
    const marks = [...new Set([low, 0, high])].flatMap((exponent) => {
      const y = down(exponent);
      const line = { class: exponent ? "explorer-decade" : "explorer-one", x1: LEFT, x2: WIDTH - RIGHT, y1: y, y2: y };
      return [
        shape("line", line),
        shape("text", { x: LEFT - 6, y: y + 4, "text-anchor": "end" }, power(exponent)),
      ];
    });
    const points = values
      .map((value, index) => [across(index), value])
      .filter(([, value]) => value > 0 && Number.isFinite(value))
      .map(([x, value]) => [x, down(Math.log10(value))]);
    const line = shape("polyline", { class: "explorer-curve", points: points.map((p) => p.join(",")).join(" ") });
    const dots = points.map(([x, y]) => shape("circle", { class: "explorer-dot", cx: x, cy: y, r: 2.2 }));
    const foot = [
      shape("text", { x: LEFT, y: HEIGHT - 6 }, "input"),
      shape("text", { x: WIDTH - RIGHT, y: HEIGHT - 6, "text-anchor": "end" }, `layer ${last}`),
    ];
    svg.replaceChildren(...marks, line, ...dots, ...foot);
    node.dataset.values = JSON.stringify(values);
  };
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

// The figure.

function render({ model, el }) {
  const stream = chart("stream", "stream", "its size, at first 1");
  const gradient = chart("gradient", "gradient", "its size, at the end 1");
  const [joins, depth, scale] = [joinButtons(model), depthSlider(model), scaleSlider(model)];
  const [weights, words] = [weightsButton(model), sentenceLine()];
  const parts = [stream, gradient, joins, depth, scale, weights, words];

  function draw() {
    const state = read(model);
    parts.forEach((part) => part.draw(state));
  }

  function describe() {
    el.setAttribute("aria-label", model.get("description"));
  }

  el.classList.add("explorer", "explorer-stack");
  el.setAttribute("role", "group");
  el.dataset.lmSuppressShortcuts = "true"; // JupyterLab leaves our keys to us.
  const charts = element("div", { class: "explorer-charts" }, stream.node, gradient.node);
  el.replaceChildren(joins.node, depth.node, scale.node, charts, words.node, weights.node);
  describe();
  draw();

  const reactions = { depth: draw, join: draw, scale: draw, seed: draw, description: describe };
  for (const [name, react] of Object.entries(reactions)) model.on(`change:${name}`, react);
  return () => {
    for (const [name, react] of Object.entries(reactions)) model.off(`change:${name}`, react);
  };
}

export default { render };
