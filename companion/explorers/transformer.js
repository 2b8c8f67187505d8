// The whole model as a path: what goes into each part, what comes out, how many parameters it has.

const SIZES = ["batch", "source", "target", "vocab_size", "d_model", "n_heads", "d_ff", "n_layers"];
const PARTS = [
  { name: "source", column: 1, row: 5 },
  { name: "embed", label: "embed the source", column: 1, row: 4, shared: true },
  { name: "encoder", column: 1, row: 3 },
  { name: "memory", column: 1, row: 2 },
  { name: "target", column: 2, row: 5 },
  { name: "embed", label: "embed the target", column: 2, row: 4, shared: true },
  { name: "decoder", column: 2, row: 3 },
  { name: "head", column: 2, row: 2, shared: true },
];

const written = (number) => number.toLocaleString("en-US");
const shape = (...sizes) => `(${sizes.map((size) => (typeof size === "number" ? written(size) : size)).join(", ")})`;

// What there is to say, computed from the sizes.

function parameters({ d_model: d, d_ff, n_layers, vocab_size, tied }) {
  const attention = 4 * (d * d + d);
  const feedForward = 2 * d * d_ff + d_ff + d;
  const norm = 2 * d;
  return {
    table: vocab_size * d,
    encoder: n_layers * (attention + feedForward + 2 * norm) + norm,
    decoder: n_layers * (2 * attention + feedForward + 3 * norm) + norm,
    head: tied ? 0 : vocab_size * d,
  };
}

function told(state) {
  const { batch, source, target, vocab_size, d_model, n_heads, d_ff, n_layers, tied, part } = state;
  const count = parameters(state);
  const layers = n_layers === 1 ? "1 layer" : `${n_layers} layers, each with weights of its own`;
  const inside = `Inside, ${n_heads} ${n_heads === 1 ? "head" : "heads"} of ${written(d_model / n_heads)} numbers`;
  const texts = [
    `The source's token ids, ${shape(batch, source)}. They know nothing of one another.`,
    `Ids ${shape(batch, source)} become vectors ${shape(batch, source, d_model)}. The table has ` +
      `${written(count.table)} parameters, a row for each of ${written(vocab_size)} tokens.`,
    `${shape(batch, source, d_model)} goes in and comes out, through ${layers}. ${inside} look at the source, ` +
      `weights ${shape(batch, n_heads, source, source)}; the feed-forward network has ${written(d_ff)} numbers. ` +
      `${written(count.encoder)} parameters.`,
    `The encoder's output, ${shape(batch, source, d_model)}: made once, looked at by every layer of the decoder. ` +
      `It has no parameters.`,
    `The target's ids, shifted: ${shape(batch, target)}. The first is the start symbol.`,
    `Ids ${shape(batch, target)} become vectors ${shape(batch, target, d_model)}, by the same table as the source: ` +
      `no parameters more.`,
    `${shape(batch, target, d_model)} goes in and comes out, through ${layers}. ${inside} look back, weights ` +
      `${shape(batch, n_heads, target, target)}, and at the memory, weights ` +
      `${shape(batch, n_heads, target, source)}. ${written(count.decoder)} parameters.`,
    `States ${shape(batch, target, d_model)} become logits ${shape(batch, target, vocab_size)}. ` +
      (tied ? `The table is the head: no parameters more.` : `A table of its own: ${written(count.head)} parameters.`),
  ];
  return d_model % n_heads ? `${d_model} numbers cannot be shared by ${n_heads} heads.` : texts[part];
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

function path(model) {
  const boxes = PARTS.map(({ name, label, column, row, shared }, index) => {
    const button = element("button", { type: "button", class: "explorer-part", "aria-label": label ?? name }, name);
    button.append(element("small"));
    button.style.gridArea = `${row} / ${column}`;
    if (shared) button.classList.add("explorer-shared");
    button.addEventListener("click", () => choose(model, { part: index }));
    button.addEventListener("focus", () => model.get("part") !== index && choose(model, { part: index }));
    return button;
  });
  boxes.forEach((box, index) =>
    box.addEventListener("keydown", (event) => {
      const move = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1 }[event.key];
      if (!move) return;
      boxes[index + move]?.focus();
      event.preventDefault();
    }),
  );
  const node = element("div", { class: "explorer-path", role: "group", "aria-label": "parts of the model" }, ...boxes);
  const draw = ({ part, n_layers, tied }) =>
    boxes.forEach((box, index) => {
      box.setAttribute("aria-pressed", index === part);
      box.tabIndex = index === part ? 0 : -1;
      box.lastChild.textContent = [2, 6].includes(index) ? ` × ${n_layers}` : "";
      if (index === 7) box.classList.toggle("explorer-shared", tied);
    });
  return { node, draw };
}

function sentence() {
  const node = element("p", { class: "explorer-sentence", "aria-live": "polite" });
  return { node, draw: (state) => (node.textContent = told(state)) };
}

function bars() {
  const names = ["table", "encoder", "decoder", "head"];
  const rows = names.map((name) => {
    const fill = element("i");
    const value = element("b", { "data-count": name });
    return { name, fill, value, node: element("div", {}, element("span", {}, name), fill, value) };
  });
  const total = element("p", { class: "explorer-total" });
  const node = element("div", { class: "explorer-bars" }, ...rows.map((row) => row.node), total);
  function draw(state) {
    const count = parameters(state);
    const most = Math.max(...Object.values(count));
    for (const { name, fill, value } of rows) {
      fill.style.width = `${(52 * count[name]) / most}%`;
      value.textContent = written(count[name]);
    }
    const all = Object.values(count).reduce((sum, one) => sum + one, 0);
    total.textContent = `${written(all)} parameters in all, ${Math.round((100 * count.table) / all)} % of them in the table`;
  }
  return { node, draw };
}

function sliders(model) {
  const choices = model.get("choices");
  const rows = SIZES.map((name) => {
    const input = element("input", { type: "range", min: 0, max: choices[name].length - 1, "aria-label": name });
    input.addEventListener("input", () => choose(model, { [name]: choices[name][input.value] }));
    const value = element("output");
    return { name, input, value, node: element("label", {}, element("span", {}, name), input, value) };
  });
  const tied = element("button", { type: "button" }, "head tied to the table");
  tied.addEventListener("click", () => choose(model, { tied: !model.get("tied") }));
  const buttons = element("div", { class: "explorer-buttons" }, tied);
  const node = element("div", { class: "explorer-sizes" }, ...rows.map((row) => row.node), buttons);
  function draw(state) {
    for (const { name, input, value } of rows) {
      input.value = choices[name].indexOf(state[name]);
      input.setAttribute("aria-valuetext", state[name]);
      value.textContent = written(state[name]);
    }
    tied.setAttribute("aria-pressed", state.tied);
  }
  return { node, draw };
}

function render({ model, el }) {
  const names = [...SIZES, "tied", "part"];
  const parts = [path(model), sentence(), bars(), sliders(model)];
  const draw = () => {
    const state = Object.fromEntries(names.map((name) => [name, model.get(name)]));
    parts.forEach((part) => part.draw(state));
  };
  el.classList.add("explorer", "explorer-transformer");
  el.setAttribute("role", "group");
  el.setAttribute("aria-label", model.get("description"));
  el.dataset.lmSuppressShortcuts = "true"; // JupyterLab leaves our keys to us.
  el.replaceChildren(...parts.map((part) => part.node));
  draw();
  for (const name of names) model.on(`change:${name}`, draw);
  return () => names.forEach((name) => model.off(`change:${name}`, draw));
}

export default { render };
