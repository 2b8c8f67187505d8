// Where a target word looks: the target above, the source below, and lines between them.

const WIDEST = 12;
const SVG = "http://www.w3.org/2000/svg";

// What there is to draw: the weights of the chosen pair, by one head or averaged over all.

function shownWeights({ weights }, head) {
  if (head >= 0) return weights[head];
  return weights[0].map((row, word) =>
    row.map((_, token) => weights.reduce((sum, each) => sum + each[word][token], 0) / weights.length),
  );
}

function read(model) {
  const pair = model.get("pairs")[model.get("pair")];
  const word = Math.min(model.get("word"), pair.target.length - 1);
  const head = model.get("head");
  return { ...pair, word, head, row: shownWeights(pair, head)[word] };
}

function sentence({ source, target, word, head, row }) {
  const seen = source
    .map((token, index) => ({ token, weight: row[index] }))
    .filter(({ weight }) => weight >= 0.005)
    .sort((one, other) => other.weight - one.weight)
    .map(({ token, weight }) => `${token} ${weight.toFixed(2)}`);
  const who = head < 0 ? "the heads look, on average," : `head ${head + 1} looks`;
  if (seen.length === 0) return `Before it writes ${target[word]}, ${who} nowhere.`;
  return `Before it writes ${target[word]}, ${who} at ${seen.join(", ")}.`;
}

// Small tools for the page.

function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function choose(model, values) {
  for (const [name, value] of Object.entries(values)) model.set(name, value);
  model.save_changes();
}

// The parts of the figure. Each is a node and a function that draws the state into it.

function buttonRow(label, names, pressed, press) {
  const buttons = names.map((name, index) => {
    const button = element("button", { type: "button" }, name);
    button.addEventListener("click", () => press(index));
    return button;
  });
  const words = element("span", {}, label);
  const group = { class: "explorer-buttons", role: "group", "aria-label": label };
  const node = element("div", { class: "explorer-row" }, words, element("div", group, ...buttons));
  node.hidden = buttons.length < 2;
  const draw = () => buttons.forEach((button, index) => button.setAttribute("aria-pressed", index === pressed()));
  return { node, draw };
}

function pairButtons(model) {
  const pairs = model.get("pairs");
  const names = pairs.map(({ source }) => source.join(/[\u3400-\u9fff]/.test(source[0]) ? "" : " "));
  const press = (pair) => choose(model, { pair, word: Math.min(model.get("word"), pairs[pair].target.length - 1) });
  return buttonRow("sentence", names, () => model.get("pair"), press);
}

function headButtons(model) {
  const heads = model.get("pairs")[0].weights.map((_, head) => `head ${head + 1}`);
  const press = (index) => choose(model, { head: index - 1 });
  return buttonRow("look through", ["all, averaged", ...heads], () => model.get("head") + 1, press);
}

function picture(model) {
  const pair = model.get("pairs")[model.get("pair")];
  const words = pair.target.map((token, index) => {
    const button = element("button", { type: "button", class: "explorer-token", "data-word": index }, token);
    const look = () => model.get("word") !== index && choose(model, { word: index });
    for (const event of ["pointerenter", "focus", "click"]) button.addEventListener(event, look);
    return button;
  });
  const tokens = pair.source.map((token, index) =>
    element("span", { class: "explorer-token", "data-token": index }, element("b", {}, token), element("small")),
  );
  const lines = document.createElementNS(SVG, "svg");
  lines.setAttribute("aria-hidden", "true");
  lines.append(...pair.source.map(() => document.createElementNS(SVG, "line")));
  const target = element("div", { class: "explorer-target", role: "group", "aria-label": "target words" }, ...words);
  const source = element("div", { class: "explorer-source", "aria-hidden": "true" }, ...tokens);
  const inside = element("div", { class: "explorer-sentences" }, target, lines, source);
  const node = element("div", { class: "explorer-scroll" }, inside);
  moveWithKeys(words);

  function draw({ word, row }) {
    words.forEach((button, index) => {
      button.setAttribute("aria-pressed", index === word);
      button.tabIndex = index === word ? 0 : -1;
    });
    tokens.forEach((token, index) => {
      token.dataset.weight = row[index];
      token.style.setProperty("--explorer-weight", row[index]);
      token.lastChild.textContent = row[index].toFixed(2);
    });
    place();
  }

  function place() {
    const box = lines.getBoundingClientRect();
    const middle = (each) => {
      const { left, width } = each.getBoundingClientRect();
      return left + width / 2 - box.left;
    };
    const from = words.find((button) => button.getAttribute("aria-pressed") === "true");
    if (!from || box.width === 0) return;
    [...lines.children].forEach((line, index) => {
      const ends = { x1: middle(from), y1: 0, x2: middle(tokens[index]), y2: box.height };
      for (const [name, value] of Object.entries(ends)) line.setAttribute(name, value);
      line.setAttribute("stroke-width", WIDEST * Number(tokens[index].dataset.weight));
    });
  }

  return { node, draw, place };
}

function moveWithKeys(words) {
  const moves = { ArrowLeft: -1, ArrowRight: 1 };
  words.forEach((button, index) =>
    button.addEventListener("keydown", (event) => {
      if (!(event.key in moves)) return;
      words[index + moves[event.key]]?.focus();
      event.preventDefault();
    }),
  );
}

function sentenceLine() {
  const node = element("p", { class: "explorer-sentence", "aria-live": "polite" });
  return { node, draw: (state) => (node.textContent = sentence(state)) };
}

// The figure.

function render({ model, el }) {
  let parts = [];
  let observer = null;

  function draw() {
    const state = read(model);
    parts.forEach((part) => part.draw(state));
  }

  function build() {
    const focused = el.contains(document.activeElement) ? document.activeElement.textContent : null;
    observer?.disconnect();
    parts = [pairButtons(model), headButtons(model), picture(model), sentenceLine()];
    el.replaceChildren(...parts.map((part) => part.node));
    el.setAttribute("aria-label", model.get("description"));
    draw();
    observer = new ResizeObserver(parts[2].place);
    observer.observe(parts[2].node.firstChild);
    if (focused) [...el.querySelectorAll(".explorer-buttons button")].find((b) => b.textContent === focused)?.focus();
  }

  el.classList.add("explorer", "explorer-cross");
  el.setAttribute("role", "group");
  el.dataset.lmSuppressShortcuts = "true"; // JupyterLab leaves our keys to us.
  build();

  const reactions = { word: draw, head: draw, pair: build, pairs: build, description: build };
  for (const [name, react] of Object.entries(reactions)) model.on(`change:${name}`, react);
  return () => {
    observer.disconnect();
    for (const [name, react] of Object.entries(reactions)) model.off(`change:${name}`, react);
  };
}

export default { render };
