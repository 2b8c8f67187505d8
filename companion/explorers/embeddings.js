// Positions as clock hands: one clock for each pair of places, one hand for each of two positions.

const VIEWS = ["sinusoidal", "rotary"];
const WORDS = { sinusoidal: "product", rotary: "score" };

// The arithmetic. A tip is [right, up]: [sine, cosine], or [second half, first half] of a vector that is turned.

function turn([right, up], angle) {
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  return [right * cos + up * sin, up * cos - right * sin];
}

function speeds(model) {
  const half = model.get("query").length / 2;
  return Array.from({ length: half }, (_, pair) => model.get("base") ** (-pair / half));
}

function tips(model, vector, position) {
  const half = vector.length / 2;
  const start = (pair) => (model.get("view") === "rotary" ? [vector[pair + half], vector[pair]] : [0, 1]);
  return speeds(model).map((speed, pair) => turn(start(pair), position * speed));
}

function dot(one, other) {
  return one.reduce((sum, [right, up], pair) => sum + right * other[pair][0] + up * other[pair][1], 0);
}

// The product of two positions at a distance: the first may stand anywhere, so it stands at 0.
function productAt(model, distance) {
  return dot(tips(model, model.get("query"), 0), tips(model, model.get("key"), distance));
}

function degrees(angle) {
  const turned = (((angle * 180) / Math.PI) % 360) + 360;
  return turned % 360;
}

// Small tools for the page.

function make(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

const element = (tag, attributes = {}, ...children) => make(document.createElement(tag), attributes, children);

const drawn = (tag, attributes = {}, ...children) =>
  make(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// The parts of the figure. Each is a node and a function that draws the state into it.

function viewButtons(model) {
  const views = VIEWS.map((view) => element("button", { type: "button", "data-view": view }, view));
  const keep = element("button", { type: "button" }, "keep the distance");
  for (const button of views) {
    button.addEventListener("click", () => {
      model.set("view", button.dataset.view);
      model.save_changes();
    });
  }
  keep.addEventListener("click", () => {
    model.set("kept", !model.get("kept"));
    model.save_changes();
  });
  const node = element("div", { class: "explorer-buttons", role: "group", "aria-label": "view" }, ...views, keep);
  const draw = () => {
    for (const button of views) button.setAttribute("aria-pressed", button.dataset.view === model.get("view"));
    keep.setAttribute("aria-pressed", model.get("kept"));
  };
  return { node, draw };
}

// Moves one position; where the distance is kept the other follows, and both stop at the ends.
function move(model, name, wanted) {
  const other = name === "first" ? "second" : "first";
  const [here, there] = [model.get(name), model.get(other)];
  if (!model.get("kept")) return model.set(name, wanted);
  const last = model.get("length") - 1;
  const [lowest, highest] = [-Math.min(here, there), last - Math.max(here, there)];
  const by = Math.min(highest, Math.max(lowest, wanted - here));
  model.set(name, here + by);
  model.set(other, there + by);
}

function positionSlider(model, name, words) {
  const input = element("input", { type: "range", min: 0, max: model.get("length") - 1, step: 1 });
  const output = element("output");
  input.addEventListener("input", () => {
    move(model, name, input.valueAsNumber);
    input.value = model.get(name);
  });
  input.addEventListener("change", () => model.save_changes());
  const mark = element("i", { class: `explorer-mark explorer-${name}`, "aria-hidden": "true" });
  const label = element("span", {}, mark, words);
  const node = element("label", { class: "explorer-position" }, label, input, output);
  const draw = () => {
    input.value = model.get(name);
    setText(output, String(model.get(name)));
  };
  return { node, draw };
}

function clock(model, pair) {
  const hand = (name) => {
    const line = drawn("line", { class: `explorer-hand explorer-${name}` });
    const tip = drawn("circle", { class: `explorer-tip explorer-${name}`, r: 0.085 });
    return { line, tip, node: drawn("g", { "data-hand": name }, line, tip) };
  };
  const hands = { first: hand("first"), second: hand("second") };
  const ticks = Array.from({ length: 12 }, (_, hour) => {
    const [x, y] = turn([0, 1], (hour * Math.PI) / 6);
    return drawn("line", { class: "explorer-tick", x1: x, y1: -y, x2: 0.93 * x, y2: -0.93 * y });
  });
  const face = drawn(
    "svg",
    { viewBox: "-1.1 -1.1 2.2 2.2", "aria-hidden": "true" },
    drawn("circle", { class: "explorer-face", r: 1 }),
    ...ticks,
    hands.second.node,
    hands.first.node,
  );
  const [speed, apart] = [element("span"), element("b")];
  const told = element("div", { class: "explorer-told" }, speed, apart);
  const node = element("div", { class: "explorer-clock", "data-pair": pair }, face, told);
  const draw = ({ tips: found, longest, angles, apart: distance }) => {
    for (const [name, { line, tip, node: group }] of Object.entries(hands)) {
      const [right, up] = found[name][pair];
      Object.assign(group.dataset, { right, up });
      const [x, y] = [(0.88 * right) / longest[pair], (-0.88 * up) / longest[pair]];
      make(line, { x2: x, y2: y }, []);
      make(tip, { cx: x, cy: y }, []);
    }
    setText(speed, `${digits(angles[pair])}° a step`);
    setText(apart, `${digits(degrees((distance * angles[pair] * Math.PI) / 180))}° apart`);
  };
  return { node, draw };
}

const digits = (number) => (number < 10 ? number.toFixed(2) : number.toFixed(0));

const [WIDTH, HEIGHT, EDGE] = [600, 120, 8];

function chart(model) {
  const line = drawn("polyline", { class: "explorer-line" });
  const dotted = drawn("line", { class: "explorer-zero", x1: EDGE, x2: WIDTH - EDGE });
  const marker = drawn("circle", { class: "explorer-marker", r: 6 });
  const svg = drawn("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, "aria-hidden": "true" }, dotted, line, marker);
  const told = element("div", { class: "explorer-told" });
  const node = element("div", { class: "explorer-chart" }, svg, told);
  const draw = ({ apart }) => {
    const last = model.get("length") - 1;
    const distances = Array.from({ length: 2 * last + 1 }, (_, index) => index - last);
    const values = distances.map((distance) => productAt(model, distance));
    const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
    const x = (distance) => EDGE + ((distance + last) / (2 * last)) * (WIDTH - 2 * EDGE);
    const y = (value) => HEIGHT - EDGE - ((value - low) / (high - low || 1)) * (HEIGHT - 2 * EDGE);
    const points = distances.map((distance, index) => `${x(distance).toFixed(1)},${y(values[index]).toFixed(1)}`);
    line.setAttribute("points", points.join(" "));
    make(dotted, { y1: y(0), y2: y(0) }, []);
    make(marker, { cx: x(apart), cy: y(values[apart + last]) }, []);
    const word = WORDS[model.get("view")];
    setText(told, `${word} by distance, from −${last} to ${last}; dotted: zero`);
  };
  return { node, draw };
}

function sentenceLine(model) {
  const node = element("p", { class: "explorer-sentence", "aria-live": "polite" });
  const draw = ({ apart, product }) => {
    const [first, second] = [model.get("first"), model.get("second")];
    const word = WORDS[model.get("view")];
    const whose = model.get("view") === "rotary" ? "a query and a key" : "two positions";
    node.dataset.product = product;
    const far = `${Math.abs(apart)} apart${apart < 0 ? ", backwards" : ""}`;
    const always = `It is the same for ${whose} ${far} anywhere.`;
    setText(node, `Positions ${first} and ${second}: the ${word} is ${product.toFixed(2)}. ${always}`);
  };
  return { node, draw };
}

// The figure.

function readState(model) {
  const [first, second] = [model.get("first"), model.get("second")];
  const found = { first: tips(model, model.get("query"), first), second: tips(model, model.get("key"), second) };
  const longest = found.first.map((tip, pair) => Math.max(1, Math.hypot(...tip), Math.hypot(...found.second[pair])));
  const angles = speeds(model).map((speed) => (speed * 180) / Math.PI);
  return { tips: found, longest, angles, apart: second - first, product: dot(found.first, found.second) };
}

function render({ model, el }) {
  let parts = [];

  function draw() {
    const state = readState(model);
    parts.forEach((part) => part.draw(state));
  }

  function build() {
    const top = [
      viewButtons(model),
      positionSlider(model, "first", "first position"),
      positionSlider(model, "second", "second position"),
    ];
    const clocks = speeds(model).map((_, pair) => clock(model, pair));
    const below = [sentenceLine(model), chart(model)];
    parts = [...top, ...clocks, ...below];
    const row = element("div", { class: "explorer-clocks" }, ...clocks.map((part) => part.node));
    el.replaceChildren(...top.map((part) => part.node), row, ...below.map((part) => part.node));
    el.setAttribute("aria-label", model.get("description"));
    draw();
  }

  el.classList.add("explorer", "explorer-positions");
  el.setAttribute("role", "group");
  el.dataset.lmSuppressShortcuts = "true"; // JupyterLab leaves our keys to us.
  build();

  const reactions = { first: draw, second: draw, view: draw, kept: draw, base: draw };
  Object.assign(reactions, { query: build, key: build, length: build, description: build });
  for (const [name, react] of Object.entries(reactions)) model.on(`change:${name}`, react);
  return () => {
    for (const [name, react] of Object.entries(reactions)) model.off(`change:${name}`, react);
  };
}

export default { render };
