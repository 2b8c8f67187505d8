// The mask painter: on the left a mask, on the right the attention weights that follow from it.

const RULES = {
  "-inf": "before the softmax, with −inf",
  "-1e9": "before, with −1e9",
  after: "after the softmax",
};

// The arithmetic, in single precision as in a model.

function softmax(scores) {
  const largest = Math.max(...scores);
  if (largest === -Infinity) return scores.map(() => 0);
  const exponentials = scores.map((score) => Math.fround(Math.exp(Math.fround(score - largest))));
  const total = exponentials.reduce((sum, value) => Math.fround(sum + value), 0);
  return exponentials.map((value) => Math.fround(value / total));
}

function attentionWeights(scores, mask, scale, rule) {
  const scaled = scores.map((score) => Math.fround(Math.fround(score) * Math.fround(scale)));
  if (rule === "after") return softmax(scaled).map((weight, key) => (mask[key] ? weight : 0));
  const forbidden = rule === "-1e9" ? -1e9 : -Infinity;
  return softmax(scaled.map((score, key) => (mask[key] ? score : Math.fround(score + forbidden))));
}

// What there is to draw: the model's state, and one record for each query.

function readRow(model, query) {
  const mask = model.get("mask")[query];
  const weights = attentionWeights(model.get("scores")[query], mask, model.get("scale"), model.get("rule"));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const leaks = weights.some((weight, key) => !mask[key] && weight > 0);
  return { name: model.get("query_tokens")[query], mask, weights, sum, verdict: judge(sum, leaks) };
}

function judge(sum, leaks) {
  if (sum === 0) return "nowhere";
  if (leaks) return "leaks";
  return sum.toFixed(2) === "1.00" ? "good" : "not one";
}

function sentence(row, keys) {
  if (row.verdict === "nowhere") return `${row.name} looks nowhere: its weights are zeros.`;
  const seen = keys
    .map((key, index) => ({ key, weight: row.weights[index], allowed: row.mask[index] }))
    .filter(({ weight, allowed }) => allowed || weight > 0)
    .map(({ key, weight }) => `${key} ${weight.toFixed(2)}`);
  const looks = `${row.name} looks at ${seen.join(", ")}`;
  if (row.verdict === "leaks") return `${looks}, although the mask lets it look ${whereAllowed(row, keys)}.`;
  if (row.verdict === "not one") return `${looks}. The weights sum to ${row.sum.toFixed(2)}, not to 1.`;
  return `${looks}.`;
}

function whereAllowed(row, keys) {
  const allowed = keys.filter((_, index) => row.mask[index]);
  return allowed.length === 0 ? "nowhere" : `only at ${allowed.join(", ")}`;
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

function presetButtons(model) {
  const presets = model.get("presets");
  const buttons = Object.keys(presets).map((name) => {
    const button = element("button", { type: "button" }, name);
    button.addEventListener("click", () => {
      model.set("mask", presets[name]);
      model.set("preset", name);
      model.save_changes();
    });
    return button;
  });
  const attributes = { class: "explorer-buttons", role: "group", "aria-label": "ready masks" };
  const node = element("div", attributes, ...buttons);
  node.hidden = buttons.length === 0;
  const draw = () => {
    for (const button of buttons) {
      button.setAttribute("aria-pressed", button.textContent === model.get("preset"));
    }
  };
  return { node, draw };
}

function columnHeads(keys, ...more) {
  const slanted = keys.some((key) => key.length > 3) ? " explorer-slanted" : "";
  const heads = keys.map((key) => element("span", { role: "columnheader" }, element("span", {}, key)));
  const corner = element("span", { role: "columnheader", class: "explorer-corner" }, "query ↓\nkey →");
  return element("div", { role: "row", class: `explorer-heads${slanted}` }, corner, ...heads, ...more);
}

function gridOf(role, label, model, makeCell, makeSum) {
  const [queries, keys] = [model.get("query_tokens"), model.get("key_tokens")];
  const head = makeSum ? [element("span", { role: "columnheader", class: "explorer-sum" }, "sum")] : [];
  const rows = queries.map((name, query) => {
    const cells = keys.map((_, key) => makeCell(query, key));
    const header = element("span", { role: "rowheader", title: name }, name);
    return element("div", { role: "row", "data-query": query }, header, ...cells, ...(makeSum?.() ?? []));
  });
  const attributes = { role, class: "explorer-grid", "aria-label": label };
  const node = element("div", attributes, columnHeads(keys, ...head), ...rows);
  node.style.setProperty("--explorer-keys", keys.length);
  node.classList.toggle("explorer-with-sum", Boolean(makeSum));
  return { node, rows };
}

function maskGrid(model, look) {
  const [queries, keys] = [model.get("query_tokens"), model.get("key_tokens")];
  const makeCell = (query, key) =>
    element("span", { role: "gridcell", tabindex: -1, "data-query": query, "data-key": key });
  const { node, rows } = gridOf("grid", "mask, a filled cell may look", model, makeCell);
  node.setAttribute("aria-multiselectable", "true");
  const cells = rows.map((row) => [...row.querySelectorAll('[role="gridcell"]')]);
  cells[0][0].tabIndex = 0;
  paintWithPointer(node, model);
  moveWithKeys(node, cells, model);
  followRows(node, look);
  const draw = (_, activeQuery) => {
    const mask = model.get("mask");
    cells.forEach((row, query) => {
      rows[query].classList.toggle("explorer-active", query === activeQuery);
      row.forEach((cell, key) => {
        const may = mask[query][key] ? "may look" : "may not look";
        cell.setAttribute("aria-selected", mask[query][key]);
        cell.setAttribute("aria-label", `query ${queries[query]}, key ${keys[key]}: ${may}`);
      });
    });
  };
  return { node, draw };
}

function weightGrid(model, look) {
  const makeCell = () => element("span", { role: "cell" }, element("span", { class: "explorer-number" }));
  const makeSum = () => [
    element("span", { role: "cell", class: "explorer-sum" }, element("b"), element("small")),
    element("span", { class: "explorer-nowhere", "aria-hidden": "true" }, "looks nowhere: zeros"),
  ];
  const { node, rows } = gridOf("table", "attention weights", model, makeCell, makeSum);
  followRows(node, look);
  const draw = (records, activeQuery) => {
    rows.forEach((row, query) => {
      row.classList.toggle("explorer-active", query === activeQuery);
      drawWeights(row, records[query]);
      drawSum(row, records[query]);
    });
  };
  return { node, draw };
}

function drawWeights(row, { mask, weights }) {
  const cells = row.querySelectorAll('[role="cell"]:not(.explorer-sum)');
  cells.forEach((cell, key) => {
    const weight = weights[key];
    cell.dataset.weight = weight;
    cell.style.setProperty("--explorer-weight", weight);
    cell.classList.toggle("explorer-leak", !mask[key] && weight > 0);
    cell.classList.toggle("explorer-forbidden", !mask[key] && weight === 0);
    setText(cell.firstChild, mask[key] || weight > 0 ? weight.toFixed(2) : "0");
  });
}

const VERDICTS = { good: "", nowhere: "", leaks: "leaks", "not one": "not 1" };

function drawSum(row, { sum, verdict }) {
  const cell = row.querySelector('[role="cell"].explorer-sum');
  const words = verdict === "nowhere" ? "looks nowhere: zeros" : VERDICTS[verdict];
  row.dataset.verdict = verdict;
  cell.dataset.sum = sum;
  cell.setAttribute("aria-label", ["sum", sum.toFixed(2), words].join(" ").trim());
  setText(cell.querySelector("b"), sum.toFixed(2));
  setText(cell.querySelector("small"), VERDICTS[verdict]);
}

function ruleChoice(model) {
  const group = `explorer-rule-${Math.random()}`;
  const makeInput = (rule) => element("input", { type: "radio", name: group, value: rule });
  const inputs = Object.keys(RULES).map(makeInput);
  for (const input of inputs) {
    input.addEventListener("change", () => {
      model.set("rule", input.value);
      model.save_changes();
    });
  }
  const labels = inputs.map((input) => element("label", {}, input, RULES[input.value]));
  const node = element(
    "div",
    { class: "explorer-choice", role: "radiogroup", "aria-label": "mask applied" },
    element("span", {}, "mask applied"),
    element("span", {}, ...labels),
  );
  const draw = () => inputs.forEach((input) => (input.checked = input.value === model.get("rule")));
  return { node, draw };
}

function scaleSlider(model) {
  const input = element("input", { type: "range", min: 0, max: 4, step: 0.1 });
  const output = element("output");
  input.addEventListener("input", () => model.set("scale", input.valueAsNumber));
  input.addEventListener("change", () => model.save_changes());
  const words = element("span", {}, "size of the scores");
  const node = element("label", { class: "explorer-choice explorer-slider" }, words, input, output);
  const draw = () => {
    input.value = model.get("scale");
    setText(output, `× ${model.get("scale").toFixed(1)}`);
  };
  return { node, draw };
}

function sentenceLine(model) {
  const node = element("p", { class: "explorer-sentence", "aria-live": "polite" });
  const draw = (records, activeQuery) => {
    node.dataset.verdict = records[activeQuery].verdict;
    setText(node, sentence(records[activeQuery], model.get("key_tokens")));
  };
  return { node, draw };
}

// What the reader does.

function paint(model, query, key, allow) {
  if (model.get("mask")[query][key] === allow) return;
  const mask = model.get("mask").map((row) => [...row]);
  mask[query][key] = allow;
  model.set("mask", mask);
  model.set("preset", "");
}

function placeOf(cell) {
  return [Number(cell.dataset.query), Number(cell.dataset.key)];
}

function isAllowed(model, cell) {
  const [query, key] = placeOf(cell);
  return model.get("mask")[query][key];
}

function paintWithPointer(grid, model) {
  let stroke = null;
  const cellAt = (x, y) => {
    const cell = grid.getRootNode().elementFromPoint(x, y)?.closest('[role="gridcell"]');
    return grid.contains(cell) ? cell : null;
  };
  const paintAt = ([x, y]) => {
    const cell = cellAt(x, y);
    if (cell) paint(model, ...placeOf(cell), stroke.allow);
  };
  grid.addEventListener("pointerdown", (event) => {
    const cell = event.target.closest('[role="gridcell"]');
    if (!cell || event.button !== 0) return;
    event.preventDefault();
    cell.focus({ preventScroll: true });
    grid.setPointerCapture(event.pointerId);
    stroke = { allow: !isAllowed(model, cell), at: [event.clientX, event.clientY] };
    paintAt(stroke.at);
  });
  grid.addEventListener("pointermove", (event) => {
    if (!stroke) return;
    const to = [event.clientX, event.clientY];
    pointsBetween(stroke.at, to).forEach(paintAt);
    stroke.at = to;
  });
  const finish = () => {
    if (stroke) model.save_changes();
    stroke = null;
  };
  grid.addEventListener("pointerup", finish);
  grid.addEventListener("pointercancel", finish);
}

// A fast pointer reports few places; the cells it passed in between belong to the stroke.
function pointsBetween([fromX, fromY], [toX, toY]) {
  const steps = Math.max(1, Math.ceil(Math.hypot(toX - fromX, toY - fromY) / 8));
  return Array.from({ length: steps }, (_, step) => {
    const part = (step + 1) / steps;
    return [fromX + part * (toX - fromX), fromY + part * (toY - fromY)];
  });
}

const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

function moveWithKeys(grid, cells, model) {
  const toggle = (cell) => {
    paint(model, ...placeOf(cell), !isAllowed(model, cell));
    model.save_changes();
  };
  const move = (cell, [down, right]) => {
    const [query, key] = placeOf(cell);
    cells[query + down]?.[key + right]?.focus();
  };
  grid.addEventListener("keydown", (event) => {
    if (event.key === " " || event.key === "Enter") toggle(event.target);
    else if (event.key in MOVES) move(event.target, MOVES[event.key]);
    else return;
    event.preventDefault();
  });
  grid.addEventListener("focusin", ({ target }) => {
    grid.querySelector('[tabindex="0"]').tabIndex = -1;
    target.tabIndex = 0;
  });
}

function followRows(grid, look) {
  const follow = (event) => {
    const row = event.target.closest('[role="row"][data-query]');
    if (row) look(Number(row.dataset.query));
  };
  grid.addEventListener("pointerover", follow);
  grid.addEventListener("focusin", follow);
}

// The figure.

function panel(title, note, grid) {
  const caption = element("p", { class: "explorer-caption" }, element("b", {}, title), ` ${note}`);
  const scroll = element("div", { class: "explorer-scroll" }, grid);
  return element("div", { class: "explorer-panel" }, caption, scroll);
}

function render({ model, el }) {
  let activeQuery = Math.floor(model.get("query_tokens").length / 2);
  let parts = [];

  function draw() {
    const records = model.get("query_tokens").map((_, query) => readRow(model, query));
    parts.forEach((part) => part.draw(records, activeQuery));
  }

  function look(query) {
    if (query === activeQuery) return;
    activeQuery = query;
    draw();
  }

  function build() {
    const presets = presetButtons(model);
    const mask = maskGrid(model, look);
    const weights = weightGrid(model, look);
    const below = [sentenceLine(model), ruleChoice(model), scaleSlider(model)];
    parts = [presets, mask, weights, ...below];
    const panels = element(
      "div",
      { class: "explorer-panels" },
      panel("mask", "filled may look; click or drag", mask.node),
      panel("attention weights", "each row should sum to 1", weights.node),
    );
    el.replaceChildren(presets.node, panels, ...below.map((part) => part.node));
    el.setAttribute("aria-label", model.get("description"));
    draw();
  }

  el.classList.add("explorer", "explorer-masks");
  el.setAttribute("role", "group");
  el.dataset.lmSuppressShortcuts = "true"; // JupyterLab leaves our keys to us.
  build();

  const reactions = { mask: draw, preset: draw, scores: draw, scale: draw, rule: draw };
  Object.assign(reactions, { query_tokens: build, key_tokens: build, presets: build, description: build });
  for (const [name, react] of Object.entries(reactions)) model.on(`change:${name}`, react);
  return () => {
    for (const [name, react] of Object.entries(reactions)) model.off(`change:${name}`, react);
  };
}

export default { render };
