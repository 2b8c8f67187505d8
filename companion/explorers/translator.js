// The course's own translator, running where it is read: from the bytes of its weights to where each word looks.

// The tokens of chapter 01: symbols for bytes, words, and merges in the order in which they were learned.

const SPECIAL = ["[pad]", "[begin]", "[end]"];
// Python's \s is \p{White_Space}; JavaScript's differs from it by U+0085 and U+FEFF.
const WORD =
  /'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;
const SPACES = /[\p{White_Space}\x1c-\x1f]+/u;

function isPrintable(byte) {
  return (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
}

const SYMBOLS = [];
for (let byte = 0, other = 256; byte < 256; byte += 1) {
  SYMBOLS.push(String.fromCharCode(isPrintable(byte) ? byte : other++));
}
const BYTES = new Map(SYMBOLS.map((symbol, byte) => [symbol, byte]));

// As the training sentences were tidied: composed characters (NFC), single spaces, none at the ends.
function tidy(text) {
  return text.normalize("NFC").split(SPACES).filter(Boolean).join(" ");
}

function mergePair(tokens, left, right) {
  const merged = [];
  let begun = false;
  for (const token of tokens) {
    if (begun && token === right) {
      merged.push(merged.pop() + right);
      begun = false;
    } else {
      merged.push(token);
      begun = token === left;
    }
  }
  return merged;
}

function textOf(tokens, options = {}) {
  const bytes = Uint8Array.from(tokens.join(""), (symbol) => BYTES.get(symbol));
  return new TextDecoder("utf-8", { ignoreBOM: true, ...options }).decode(bytes);
}

function isWhole(tokens) {
  try {
    return textOf(tokens, { fatal: true }) !== null;
  } catch {
    return false;
  }
}

class Tokenizer {
  // `merges` is the text of a file with one pair a line, "left right".
  constructor(merges) {
    const lines = merges.split("\n").filter(Boolean);
    this.ranks = new Map(lines.map((line, rank) => [line, rank]));
    this.tokens = [...new Set([...SPECIAL, ...[...SYMBOLS].sort(), ...lines.map((line) => line.replace(" ", ""))])];
    this.ids = new Map(this.tokens.map((token, id) => [token, id]));
    [this.padId, this.beginId, this.endId] = SPECIAL.map((token) => this.ids.get(token));
  }

  encode(text) {
    const words = text.match(WORD) ?? [];
    return words.flatMap((word) => this.cut(word).map((token) => this.ids.get(token)));
  }

  cut(word) {
    let tokens = Array.from(new TextEncoder().encode(word), (byte) => SYMBOLS[byte]);
    while (tokens.length > 1) {
      let first = Infinity;
      let place = 0;
      for (let i = 1; i < tokens.length; i += 1) {
        const rank = this.ranks.get(`${tokens[i - 1]} ${tokens[i]}`) ?? Infinity;
        if (rank < first) [first, place] = [rank, i];
      }
      if (first === Infinity) break;
      tokens = mergePair(tokens, tokens[place - 1], tokens[place]);
    }
    return tokens;
  }

  decode(ids) {
    return textOf(ids.map((id) => this.tokens[id]).filter((token) => !SPECIAL.includes(token)));
  }
}

// The file of the weights: a length of eight bytes, a header in JSON, and numbers of 16 bits.

function halfNumbers() {
  return Float32Array.from({ length: 65536 }, (_, bits) => {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    if (exponent === 31) return fraction ? NaN : sign * Infinity;
    return exponent ? sign * (1024 + fraction) * 2 ** (exponent - 25) : sign * fraction * 2 ** -24;
  });
}

// Returns { settings, tensors }: a Float32Array for each name.
function readSafetensors(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = 8 + Number(view.getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, start)));
  const { __metadata__: metadata, ...entries } = header;
  const numbers = halfNumbers();
  const tensors = {};
  for (const [name, { dtype, data_offsets: [from, to] }] of Object.entries(entries)) {
    if (dtype !== "F16") throw new Error(`${name} is ${dtype}, and only F16 is read here.`);
    const halves = new Uint16Array(bytes.slice(start + from, start + to).buffer);
    tensors[name] = new Float32Array(halves.length);
    for (let i = 0; i < halves.length; i += 1) tensors[name][i] = numbers[halves[i]];
  }
  return { settings: JSON.parse(metadata.settings), tensors };
}

// The Transformer of chapter 07, for one sentence. A state is a Float32Array; sums are made in double precision.

const EPS = 1e-5;

// Four sums at once: each alone would wait for its own last addition.
function dot(a, fromA, b, fromB, length) {
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  let i = 0;
  for (; i + 3 < length; i += 4) {
    s0 += a[fromA + i] * b[fromB + i];
    s1 += a[fromA + i + 1] * b[fromB + i + 1];
    s2 += a[fromA + i + 2] * b[fromB + i + 2];
    s3 += a[fromA + i + 3] * b[fromB + i + 3];
  }
  for (; i < length; i += 1) s0 += a[fromA + i] * b[fromB + i];
  return s0 + s1 + s2 + s3;
}

function linear({ weight, bias }, x) {
  const width = x.length;
  const y = new Float32Array(weight.length / width);
  for (let row = 0; row < y.length; row += 1) y[row] = dot(weight, row * width, x, 0, width) + (bias ? bias[row] : 0);
  return y;
}

function normalise({ weight, bias }, x) {
  const mean = x.reduce((sum, value) => sum + value, 0) / x.length;
  const variance = x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / x.length;
  const scale = 1 / Math.sqrt(variance + EPS);
  return x.map((value, i) => (value - mean) * scale * weight[i] + bias[i]);
}

function add(x, branch) {
  for (let i = 0; i < x.length; i += 1) x[i] += branch[i];
}

function softmax(scores) {
  const top = scores.reduce((one, other) => Math.max(one, other), -Infinity);
  const powers = Float64Array.from(scores, (score) => Math.exp(score - top));
  const sum = powers.reduce((one, other) => one + other, 0);
  return powers.map((power) => power / sum);
}

function feedForward({ up, down }, x) {
  const hidden = linear(up, x);
  for (let i = 0; i < hidden.length; i += 1) hidden[i] = Math.max(0, hidden[i]);
  return linear(down, hidden);
}

// Keys and values of `length` positions, one after the other, with room for more.
class Cache {
  constructor(positions, width) {
    [this.keys, this.values] = [new Float32Array(positions * width), new Float32Array(positions * width)];
    [this.width, this.length] = [width, 0];
  }

  append({ key, value }, x) {
    this.keys.set(linear(key, x), this.length * this.width);
    this.values.set(linear(value, x), this.length * this.width);
    this.length += 1;
  }
}

// Returns the output and, for each head, the weights on all positions of the cache.
function attend(attention, x, { keys, values, width, length }, heads) {
  const query = linear(attention.query, x);
  const size = width / heads;
  const mixed = new Float64Array(width);
  const weights = [];
  for (let head = 0; head < heads; head += 1) {
    const from = head * size;
    const scores = Float64Array.from({ length }, (_, position) => dot(keys, position * width + from, query, from, size));
    const looks = softmax(scores.map((score) => score / Math.sqrt(size)));
    looks.forEach((weight, position) => {
      for (let i = from; i < from + size; i += 1) mixed[i] += weight * values[position * width + i];
    });
    weights.push(looks);
  }
  return { output: linear(attention.output, Float32Array.from(mixed)), weights };
}

// "encoder.layers.0.feed_forward.up.weight" and its like, as a tree: model.encoder.layers[0].feed_forward.up.weight
function treeOf(tensors) {
  const tree = {};
  for (const [name, tensor] of Object.entries(tensors)) {
    const path = name.split(".");
    const last = path.pop();
    path.reduce((node, step) => (node[step] ??= {}), tree)[last] = tensor;
  }
  return tree;
}

class Transformer {
  constructor({ settings, tensors }, positions = 128) {
    const { embed, encoder, decoder } = treeOf(tensors);
    [this.table, this.encoder, this.decoder] = [embed.embedding.weight, encoder, decoder];
    [this.width, this.heads, this.positions] = [settings.d_model, settings.n_heads, positions];
    this.layers = Object.keys(decoder.layers).length;
  }

  // Sines and cosines as single-precision numbers make them.
  embed(id, position) {
    return Float32Array.from({ length: this.width }, (_, place) => {
      const frequency = Math.fround(10000 ** Math.fround(-(place - (place % 2)) / this.width));
      const angle = Math.fround(position * frequency);
      const wave = Math.fround(place % 2 ? Math.cos(angle) : Math.sin(angle));
      return this.table[id * this.width + place] * Math.sqrt(this.width) + wave;
    });
  }

  // The memory: a state for each source token. `pause` is awaited often, so that a page can live meanwhile.
  async encode(ids, pause = () => {}) {
    const states = ids.map((id, position) => this.embed(id, position));
    for (const layer of Object.values(this.encoder.layers)) {
      const cache = new Cache(ids.length, this.width);
      const normed = states.map((state) => normalise(layer.self_norm, state));
      for (const state of normed) cache.append(layer.self_attention, state);
      for (const [position, state] of states.entries()) {
        add(state, attend(layer.self_attention, normed[position], cache, this.heads).output);
        add(state, feedForward(layer.feed_forward, normalise(layer.feed_norm, state)));
        await pause();
      }
    }
    return states.map((state) => normalise(this.encoder.norm, state));
  }
}

// A model in the middle of its target: what it has read is in the caches, as in chapter 08.
class Writer {
  constructor(model, memory) {
    this.model = model;
    this.layers = Object.values(model.decoder.layers).map((layer) => {
      const source = new Cache(memory.length, model.width);
      for (const state of memory) source.append(layer.cross_attention, state);
      return { layer, source, target: new Cache(model.positions, model.width) };
    });
  }

  // Reads the token that comes next: logits of what follows, and looks[layer][head][source].
  read(id) {
    const { model } = this;
    const state = model.embed(id, this.layers[0].target.length);
    const looks = [];
    for (const { layer, source, target } of this.layers) {
      const normed = normalise(layer.self_norm, state);
      target.append(layer.self_attention, normed);
      add(state, attend(layer.self_attention, normed, target, model.heads).output);
      const { output, weights } = attend(layer.cross_attention, normalise(layer.cross_norm, state), source, model.heads);
      add(state, output);
      add(state, feedForward(layer.feed_forward, normalise(layer.feed_norm, state)));
      looks.push(weights);
    }
    return { logits: linear({ weight: model.table }, normalise(model.decoder.norm, state)), looks };
  }

  // Forgets all but the first `length` tokens that it has read.
  rewind(length) {
    for (const { target } of this.layers) target.length = length;
  }
}

function largest(numbers, count) {
  const best = [];
  numbers.forEach((number, index) => {
    if (best.length === count && !(number > numbers[best.at(-1)])) return;
    const place = best.findIndex((other) => number > numbers[other]);
    best.splice(place < 0 ? best.length : place, 0, index);
    best.length = Math.min(best.length, count);
  });
  return best;
}

// The bytes of the model come in parts: from the kernel, or as files of the book.

// Scripts, since a page that is opened from a folder may load these, and nothing else, from beside it.
function partOfPage({ stem }) {
  const root = new URL(document.documentElement.dataset.content_root ?? "./", document.baseURI);
  return (number) =>
    new Promise((resolve, reject) => {
      const script = element("script", { src: new URL(`${stem}-${number}.js`, root) });
      const end = (settle) => {
        script.remove();
        settle();
      };
      script.addEventListener("load", () => end(() => resolve(bytesOfBase64(globalThis.translatorPart))));
      script.addEventListener("error", () =>
        end(() => reject(new Error("The model's files cannot be reached. Try again; in a notebook, run the cell first."))),
      );
      document.head.append(script);
    });
}

function bytesOfBase64(text) {
  const characters = atob(text);
  const bytes = new Uint8Array(characters.length);
  for (let i = 0; i < bytes.length; i += 1) bytes[i] = characters.charCodeAt(i);
  return bytes;
}

function partOfKernel(model) {
  return (number) =>
    new Promise((resolve, reject) => {
      const patience = setTimeout(() => reject(new Error("The kernel does not answer: run the cell again.")), 60_000);
      const listen = (content, [buffer]) => {
        if (content.part !== number) return;
        clearTimeout(patience);
        model.off("msg:custom", listen);
        resolve(new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength));
      };
      model.on("msg:custom", listen);
      model.send({ part: number });
    });
}

// Parts that have come are kept in `parts`, so that a second try goes on where the first ended.
async function loadTranslator(model, parts, tell) {
  const file = model.get("file");
  const part = model.send ? partOfKernel(model) : partOfPage(file);
  while (parts.length < file.parts) {
    parts.push(await part(parts.length));
    tell(parts.length / file.parts);
  }
  const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
  if (bytes.length !== file.weights + file.merges) throw new Error("The model's files are not complete: load this page again.");
  const merges = new TextDecoder().decode(bytes.subarray(file.weights));
  const transformer = new Transformer(readSafetensors(bytes.subarray(0, file.weights)), file.positions);
  return { tokenizer: new Tokenizer(merges), transformer };
}

// A translation that is being written. Each step knows its token, the likeliest ones, and where the model looked.

const CANDIDATES = 5;
const LONGEST = 100; // tokens of a target
const BREATH = 12; // milliseconds of work, then the page has its turn

function nextTurn(milliseconds = 0) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

class Translation {
  static async begin({ tokenizer, transformer }, text, signal) {
    const ids = tokenizer.encode(tidy(text));
    if (ids.length === 0) throw new Error("Type a sentence in Chinese.");
    if (ids.length > transformer.positions) {
      throw new Error(`This is ${ids.length} tokens, and the model has positions for ${transformer.positions}: shorten it.`);
    }
    let turn = performance.now();
    const pause = async () => {
      if (performance.now() - turn < BREATH) return;
      await nextTurn();
      signal.throwIfAborted();
      turn = performance.now();
    };
    const memory = await transformer.encode(ids, pause);
    const source = units(ids.map((id) => tokenizer.tokens[id]));
    return new Translation(tokenizer, new Writer(transformer, memory), text, source);
  }

  constructor(tokenizer, writer, text, source) {
    Object.assign(this, { tokenizer, writer, text, source, steps: [] });
  }

  get ended() {
    return this.steps.at(-1)?.id === this.tokenizer.endId || this.steps.length >= LONGEST;
  }

  // Reads the last token, be it the model's or the reader's choice, and writes the likeliest after it.
  advance() {
    const begun = performance.now();
    const { logits, looks } = this.writer.read(this.steps.at(-1)?.id ?? this.tokenizer.beginId);
    const probabilities = softmax(logits);
    const candidates = largest(probabilities, CANDIDATES).map((id) => this.named(id, probabilities[id]));
    this.steps.push({ ...candidates[0], candidates, looks, work: performance.now() - begun });
  }

  named(id, probability) {
    const token = this.tokenizer.tokens[id];
    return { id, probability, ...shown(token), joins: !SPECIAL.includes(token) && !token.startsWith(SYMBOLS[32]) };
  }

  // From this step on the target is forgotten, but for the token that takes its place.
  choose(step, candidate) {
    this.steps.length = step + 1;
    this.steps[step] = { ...this.steps[step], ...candidate };
    this.writer.rewind(step + 1);
  }

  // Milliseconds of work for each token.
  get pace() {
    return this.steps.reduce((sum, { work }) => sum + work, 0) / this.steps.length;
  }

  get written() {
    return this.tokenizer.decode(this.steps.map(({ id }) => id)).trim();
  }
}

// A token as text, or as its bytes where these are no whole characters.
function shown(token) {
  if (SPECIAL.includes(token)) return { label: token, kind: "special" };
  if (!isWhole([token])) {
    const bytes = Array.from(token, (symbol) => BYTES.get(symbol).toString(16).padStart(2, "0"));
    return { label: bytes.join(" "), kind: "bytes" };
  }
  return { label: textOf([token]).trim() || "␣", kind: "text" };
}

// Tokens that are whole characters only together are one unit.
function units(tokens) {
  const made = [];
  let from = 0;
  tokens.forEach((_, index) => {
    const piece = tokens.slice(from, index + 1);
    if (!isWhole(piece) && index < tokens.length - 1) return;
    made.push({ label: textOf(piece).trim() || "␣", from, to: index + 1 });
    from = index + 1;
  });
  return made;
}

// The weights of a step on each unit; a layer or head of -1 is the average of all.
function weightsOf({ looks }, source, layer, head) {
  const layers = layer < 0 ? looks : [looks[layer]];
  const rows = layers.flatMap((heads) => (head < 0 ? heads : [heads[head]]));
  return source.map(({ from, to }) => {
    const sum = rows.reduce((total, row) => total + row.slice(from, to).reduce((one, other) => one + other, 0), 0);
    return sum / rows.length;
  });
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

// As many children as there are items, each drawn anew: nodes stay, and with them the reader's focus.
function fill(parent, items, make, draw) {
  while (parent.children.length > items.length) parent.lastElementChild.remove();
  while (parent.children.length < items.length) parent.append(make(parent.children.length));
  items.forEach((item, index) => draw(parent.children[index], item, index));
}

function counted(number, thing) {
  return `${number} ${thing}${number === 1 ? "" : "s"}`;
}

// The parts of the figure. Each is a node and a function that draws the state into it.

function button(name, press, attributes = {}) {
  const node = element("button", { type: "button", ...attributes }, name);
  node.addEventListener("click", press);
  return node;
}

function row(label, ...children) {
  return element("div", { class: "explorer-row" }, element("span", { class: "explorer-label" }, label), ...children);
}

function exampleButtons({ model, translate }) {
  const buttons = model.get("examples").map((text) => button(text, () => translate(text), { lang: "zh" }));
  const node = row("examples", element("div", { class: "explorer-buttons", role: "group", "aria-label": "examples" }, ...buttons));
  const draw = () => buttons.forEach((each) => each.setAttribute("aria-pressed", each.textContent === model.get("text")));
  return { node, draw };
}

function sentenceForm({ model, translate, stop, goOn, oneToken }) {
  const attributes = { type: "text", lang: "zh", spellcheck: "false", autocomplete: "off", maxlength: 200, "aria-label": "your sentence" };
  const input = element("input", attributes);
  input.addEventListener("input", () => model.set("text", input.value));
  input.addEventListener("change", () => model.save_changes());
  const start = element("button", { type: "submit" }, "Translate");
  const halt = button("Stop", () => (halt.textContent === "Stop" ? stop() : goOn()));
  const one = button("One token", oneToken);
  const buttons = element("div", { class: "explorer-buttons" }, start, halt, one);
  const node = element("form", { class: "explorer-row" }, element("span", { class: "explorer-label", "aria-hidden": "true" }, "your sentence"), input, buttons);
  node.addEventListener("submit", (event) => {
    event.preventDefault();
    translate(input.value);
  });
  const draw = ({ loaded, running, translation }) => {
    if (input.value !== model.get("text")) input.value = model.get("text");
    const open = translation && !translation.ended;
    buttons.hidden = !loaded;
    halt.disabled = !running && !open;
    one.disabled = running;
    setText(halt, !running && open ? "Go on" : "Stop");
  };
  return { node, draw };
}

function loader({ model, load }) {
  const { weights, merges } = model.get("file");
  const start = button(`Load the model (${Math.round((weights + merges) / 1e6)} MB)`, load);
  const bar = element("progress", { max: 1, "aria-label": "loading the model" });
  const words = element("span");
  const node = element("div", { class: "explorer-buttons explorer-load" }, start, bar, words);
  const where = model.send ? "From this notebook's kernel" : "From this book's own files";
  const draw = ({ loaded, loading, progress }) => {
    node.hidden = loaded;
    start.hidden = loading;
    bar.hidden = !loading;
    bar.value = progress;
    setText(words, loading ? `${Math.round(100 * progress)} %` : `${where}, and only when you press: it then runs in your browser.`);
  };
  return { node, draw };
}

function sourceRow() {
  const tokens = element("div", { class: "explorer-tokens explorer-source", lang: "zh", "aria-hidden": "true" });
  const node = row("the source", tokens);
  const make = () => element("span", { class: "explorer-token" }, element("b"), element("small"));
  const draw = ({ translation, weights }) => {
    node.hidden = !translation;
    if (!translation) return;
    fill(tokens, translation.source, make, (token, { label, from, to }, index) => {
      const weight = weights?.[index] ?? 0;
      token.title = to - from > 1 ? `${to - from} tokens` : "";
      token.classList.toggle("explorer-joined", to - from > 1);
      token.style.setProperty("--explorer-weight", weight);
      setText(token.firstChild, label);
      setText(token.lastChild, weights ? weight.toFixed(2) : " ");
    });
  };
  return { node, draw };
}

function targetRow({ look }) {
  const tokens = element("div", { class: "explorer-tokens explorer-target", role: "group", "aria-label": "the translation, token by token" });
  const node = row("the translation", tokens);
  const make = (index) => {
    const token = element("button", { type: "button", class: "explorer-token", "data-step": index });
    for (const event of ["pointermove", "focus", "click"]) token.addEventListener(event, () => look(index));
    token.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step) return;
      tokens.children[index + step]?.focus();
      event.preventDefault();
    });
    return token;
  };
  const draw = ({ translation, looked }) => {
    node.hidden = !translation;
    fill(tokens, translation?.steps ?? [], make, (token, { id, label, kind, joins }, index) => {
      token.dataset.id = id;
      token.dataset.kind = kind;
      token.classList.toggle("explorer-joins", joins && index > 0);
      token.setAttribute("aria-pressed", index === looked);
      token.tabIndex = index === looked ? 0 : -1;
      setText(token, label);
    });
  };
  return { node, draw };
}

function candidateList({ choose }) {
  const words = element("p", { class: "explorer-quiet" });
  const list = element("ol", { class: "explorer-candidates" });
  const node = element("div", {}, words, list);
  const make = (index) =>
    element("li", {}, button("", () => choose(index)), element("span", { class: "explorer-bar", "aria-hidden": "true" }), element("span"));
  const draw = ({ translation, step, looked }) => {
    node.hidden = !step;
    if (!step) return;
    setText(words, `The likeliest tokens at step ${looked + 1}. Press one, and the model goes on from it:`);
    fill(list, step.candidates, make, (item, { id, label, kind, joins, probability }) => {
      const [name, bar, number] = item.children;
      setText(name, joins && translation.steps.length && looked > 0 ? `…${label}` : label);
      name.dataset.kind = kind;
      name.setAttribute("aria-pressed", id === step.id);
      bar.style.setProperty("--explorer-weight", probability);
      setText(number, probability.toFixed(3));
    });
  };
  return { node, draw };
}

function chooser(label, all, names, chosen, press) {
  const buttons = [all, ...names].map((name, index) => button(name, () => press(index - 1)));
  const node = row(label, element("div", { class: "explorer-buttons", role: "group", "aria-label": label }, ...buttons));
  const draw = ({ translation }) => {
    node.hidden = !translation;
    buttons.forEach((each, index) => each.setAttribute("aria-pressed", index - 1 === chosen()));
  };
  return { node, draw };
}

function layerAndHead({ model }, name) {
  const names = Array.from({ length: model.get("file")[`${name}s`] }, (_, index) => `${index + 1}`);
  const press = (index) => {
    model.set(name, index);
    model.save_changes();
  };
  return chooser(name, "average", names, () => model.get(name), press);
}

// All steps at once. What a cell shows can be had from the words above it with the keyboard too.
function matrix({ model, look }) {
  const grid = element("div", { class: "explorer-matrix", "aria-hidden": "true" });
  const node = element("div", { class: "explorer-scroll" }, grid);
  const makeRow = (index) => {
    const made = element("div", {}, element("span"), element("div"));
    made.addEventListener("pointermove", () => look(index));
    return made;
  };
  const draw = ({ translation, looked }) => {
    node.hidden = !translation?.steps.length;
    if (node.hidden) return;
    const { source, steps } = translation;
    const rows = [{ label: "" }, ...steps];
    fill(grid, rows, (index) => makeRow(index - 1), (line, step, index) => {
      const weights = index ? weightsOf(step, source, model.get("layer"), model.get("head")) : null;
      line.classList.toggle("explorer-looked", index - 1 === looked);
      setText(line.firstChild, step.label);
      fill(line.lastChild, source, () => element("i"), (cell, { label }, column) => {
        if (weights) cell.style.setProperty("--explorer-weight", weights[column]);
        else setText(cell, label);
      });
    });
  };
  return { node, draw };
}

// Words for who does not see the colours. While the model writes, nothing is announced: the end is.
function sentenceLine({ model }) {
  const node = element("p", { class: "explorer-sentence", "aria-live": "polite" });
  const draw = (state) => setText(node, sentence(state, model.get("layer"), model.get("head")));
  return { node, draw };
}

function sentence({ message, loaded, loading, running, translation, step, weights, looked, moved }, layer, head) {
  if (message) return message;
  if (loading) return "Loading the model.";
  if (!loaded) return "";
  if (running) return "Translating …";
  if (!step) return "The model is loaded: translate a sentence.";
  const { written, pace, steps, ended, source } = translation;
  if (!moved) {
    const told = `${counted(steps.length, "token")}, ${pace.toFixed(0)} ms of work each in this browser`;
    return `${ended ? "The translation" : "So far"}: “${written}” (${told}). Point at a word to see where it looks.`;
  }
  const looks = largest(weights, 3).map((place) => `${source[place].label} ${weights[place].toFixed(2)}`);
  const layers = layer < 0 ? "all layers" : `layer ${layer + 1}`;
  const heads = head < 0 ? "all heads" : `head ${head + 1}`;
  const average = layer < 0 || head < 0 ? ", on average," : "";
  return `Before it writes “${step.label}” (step ${looked + 1}), ${heads} of ${layers} look${heads === "all heads" ? "" : "s"}${average} most at ${looks.join(", ")}.`;
}

function limits({ model }) {
  const { numbers } = model.get("file");
  const text =
    `A small model: ${(numbers / 1e6).toFixed(1)} million numbers, learned from short graded sentences and from manuals and ` +
    "interfaces of free software. Beyond these it guesses, and a high probability does not make a guess right.";
  return { node: element("p", { class: "explorer-quiet" }, text), draw() {} };
}

// The figure.

const PACE = 90; // milliseconds between tokens, so that they can be seen to come

function render({ model, el }) {
  const state = { loaded: null, loading: false, progress: 0, message: "", translation: null, looked: 0, moved: false, run: null };
  const partsOfFile = [];

  function draw() {
    const { translation, loaded, run } = state;
    const step = translation?.steps[state.looked] ?? null;
    const weights = step && weightsOf(step, translation.source, model.get("layer"), model.get("head"));
    el.dataset.running = run !== null;
    for (const part of parts) part.draw({ ...state, loaded: loaded !== null, running: run !== null, step, weights });
  }

  function look(index) {
    if (state.run || (state.moved && state.looked === index)) return;
    Object.assign(state, { looked: index, moved: true, message: "" });
    draw();
  }

  async function load() {
    Object.assign(state, { loading: true, message: "" });
    draw();
    try {
      state.loaded = await loadTranslator(model, partsOfFile, (progress) => {
        state.progress = progress;
        draw();
      });
    } catch (error) {
      state.message = error.message;
    }
    state.loading = false;
    draw();
    if (state.loaded && model.get("text").trim()) translate(model.get("text"));
  }

  // One run at a time: a new one stops the one before it.
  async function running(work) {
    state.run?.abort();
    const run = new AbortController();
    Object.assign(state, { run, message: "", moved: false });
    draw();
    try {
      await work(run.signal);
    } catch (error) {
      if (!run.signal.aborted) state.message = error.message;
    }
    if (state.run !== run) return;
    state.run = null;
    draw();
  }

  async function begin(signal) {
    const translation = await Translation.begin(state.loaded, model.get("text"), signal);
    signal.throwIfAborted();
    Object.assign(state, { translation, looked: 0 });
  }

  function advance() {
    state.translation.advance();
    state.looked = state.translation.steps.length - 1;
    draw();
  }

  async function write(signal) {
    while (!state.translation.ended) {
      const due = performance.now() + PACE;
      advance();
      await nextTurn(Math.max(0, due - performance.now()));
      signal.throwIfAborted();
    }
    state.looked = Math.max(0, state.translation.steps.length - 3); // the last word, not the full stop
  }

  function translate(text) {
    model.set("text", text);
    model.save_changes();
    if (!state.loaded) return draw();
    running(async (signal) => {
      await begin(signal);
      await write(signal);
    });
  }

  const stop = () => state.run?.abort();
  const goOn = () => running(write);

  function oneToken() {
    running(async (signal) => {
      const { translation } = state;
      if (!translation || translation.ended || translation.text !== model.get("text")) await begin(signal);
      advance();
    });
  }

  function choose(candidate) {
    const { translation, looked } = state;
    stop();
    translation.choose(looked, translation.steps[looked].candidates[candidate]);
    running(write);
  }

  const figure = { model, load, translate, stop, goOn, oneToken, look, choose };
  const parts = [
    exampleButtons(figure),
    sentenceForm(figure),
    loader(figure),
    targetRow(figure),
    sourceRow(figure),
    sentenceLine(figure),
    candidateList(figure),
    layerAndHead(figure, "layer"),
    layerAndHead(figure, "head"),
    matrix(figure),
    limits(figure),
  ];
  el.classList.add("explorer", "explorer-translator");
  el.setAttribute("role", "group");
  el.setAttribute("aria-label", model.get("description"));
  el.dataset.lmSuppressShortcuts = "true"; // JupyterLab leaves our keys to us.
  el.replaceChildren(...parts.map((part) => part.node));
  draw();

  const names = ["text", "layer", "head"];
  for (const name of names) model.on(`change:${name}`, draw);
  return () => {
    stop();
    for (const name of names) model.off(`change:${name}`, draw);
  };
}

export { readSafetensors, tidy, Tokenizer, Transformer, Translation, WORD, Writer };
export default { render };
