// BPE to watch: a sentence in tokens after each merge, and the pairs that lead the count at that moment.

// The arithmetic: bytes to symbols as in GPT-2, words as in GPT-2, and one merge after the other.

// Python's \s is \p{White_Space}; JavaScript's differs from it by U+0085 and U+FEFF.
const WORD =
  /'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

function isPrintable(byte) {
  return (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
}

const SYMBOLS = [];
for (let byte = 0, other = 256; byte < 256; byte += 1) {
  SYMBOLS.push(String.fromCharCode(isPrintable(byte) ? byte : other++));
}
const BYTES = new Map(SYMBOLS.map((symbol, byte) => [symbol, byte]));

function symbolsOf(word) {
  return Array.from(new TextEncoder().encode(word), (byte) => SYMBOLS[byte]);
}

function mergePair(tokens, [left, right]) {
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

function encode(text, merges) {
  return (text.match(WORD) ?? []).flatMap((word) => merges.reduce(mergePair, symbolsOf(word)));
}

// A token as text with visible spaces, or as its bytes where these are no whole characters.
function readable(token) {
  const bytes = Uint8Array.from(token, (symbol) => BYTES.get(symbol));
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  if (!text.includes("\ufffd")) return text.replaceAll(" ", "␣").replaceAll("\n", "⏎");
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

// What there is to draw: the state at this step.

function read(model) {
  const steps = model.get("steps")[model.get("language")];
  const step = Math.min(model.get("step"), steps.length);
  const merges = steps.slice(0, step).map(([leading]) => leading);
  const tokens = encode(model.get("text"), merges);
  return { step, last: steps.length, tokens, made: merges.at(-1), leading: steps[step] ?? [] };
}

function counted(number, thing) {
  return `${number.toLocaleString("en")} ${thing}${number === 1 ? "" : "s"}`;
}

function joined([left, right]) {
  return `${readable(left)} + ${readable(right)} → ${readable(left + right)}`;
}

function sentence({ step, tokens, made, leading }) {
  const bytes = tokens.reduce((sum, token) => sum + token.length, 0);
  const parts = [`After ${counted(step, "merge")}: ${counted(bytes, "byte")} in ${counted(tokens.length, "token")}.`];
  if (made) parts.push(`The last one: ${joined(made)}.`);
  if (leading.length) parts.push(`The next one: ${joined(leading[0])}, which stands ${counted(leading[0][2], "time")}.`);
  return parts.join(" ");
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

function languageButtons(model) {
  const buttons = Object.keys(model.get("steps")).map((name) => {
    const button = element("button", { type: "button" }, name);
    button.addEventListener("click", () => {
      model.set("language", name);
      model.set("text", model.get("sentences")[name]);
      model.set("step", Math.min(model.get("step"), model.get("steps")[name].length));
      model.save_changes();
    });
    return button;
  });
  const attributes = { class: "explorer-buttons", role: "group", "aria-label": "merges learned from" };
  const node = element("div", attributes, element("span", { class: "explorer-label" }, "merges learned from"), ...buttons);
  const draw = () => {
    for (const button of buttons) {
      button.setAttribute("aria-pressed", button.textContent === model.get("language"));
    }
  };
  return { node, draw };
}

function sentenceInput(model) {
  const input = element("input", { type: "text", spellcheck: "false", autocomplete: "off", maxlength: 200 });
  input.addEventListener("input", () => model.set("text", input.value));
  input.addEventListener("change", () => model.save_changes());
  const node = element("label", { class: "explorer-choice explorer-type" }, element("span", {}, "your sentence"), input);
  const draw = () => {
    if (input.value !== model.get("text")) input.value = model.get("text");
  };
  return { node, draw };
}

function stepSlider(model) {
  const input = element("input", { type: "range", min: 0, step: 1 });
  const output = element("output");
  const go = (step) => {
    model.set("step", step);
    model.save_changes();
  };
  input.addEventListener("input", () => model.set("step", input.valueAsNumber));
  input.addEventListener("change", () => model.save_changes());
  const back = element("button", { type: "button", "aria-label": "one merge back" }, "−1");
  const next = element("button", { type: "button", "aria-label": "next merge" }, "+1");
  back.addEventListener("click", () => go(read(model).step - 1));
  next.addEventListener("click", () => go(read(model).step + 1));
  const label = element("label", { class: "explorer-choice explorer-slider" }, element("span", {}, "merges"), input, output);
  const node = element("div", { class: "explorer-buttons explorer-steps" }, label, back, next);
  const draw = ({ step, last }) => {
    input.max = last;
    input.value = step;
    back.disabled = step === 0;
    next.disabled = step === last;
    setText(output, `${step} of ${last}`);
  };
  return { node, draw };
}

function tokenRow() {
  const node = element("ol", { class: "explorer-tokens", "aria-label": "tokens" });
  const draw = ({ tokens, made }) => {
    const newest = made && made[0] + made[1];
    const chips = tokens.map((token, index) => {
      const text = readable(token);
      const chip = element("li", { "data-token": token, "data-hue": index % 4 }, text);
      chip.classList.toggle("explorer-newest", token === newest);
      chip.classList.toggle("explorer-bytes", /^[0-9a-f]{2}( [0-9a-f]{2})*$/.test(text) && token !== text);
      return chip;
    });
    node.replaceChildren(...chips);
  };
  return { node, draw };
}

function pairTable() {
  const body = element("tbody");
  const caption = element("caption", {}, "pairs that lead the count");
  const node = element("table", { class: "explorer-pairs" }, caption, body);
  const draw = ({ leading }) => {
    const rows = leading.map(([left, right, count], index) => {
      const bar = element("span", { class: "explorer-bar" });
      bar.style.width = `${(100 * count) / leading[0][2]}%`;
      const words = `${readable(left)} + ${readable(right)}`;
      const note = index === 0 ? "merged next" : "";
      const cells = [element("td", {}, count.toLocaleString("en")), element("td", { class: "explorer-bars" }, bar), element("td", {}, note)];
      return element("tr", { "data-left": left, "data-right": right, "data-count": count }, element("th", { scope: "row" }, words), ...cells);
    });
    body.replaceChildren(...rows);
    setText(caption, leading.length ? "pairs that lead the count" : "the last merge of this list");
  };
  return { node, draw };
}

function sentenceLine() {
  const node = element("p", { class: "explorer-sentence", "aria-live": "polite" });
  return { node, draw: (state) => setText(node, sentence(state)) };
}

// The figure.

function render({ model, el }) {
  const makers = [languageButtons, sentenceInput, stepSlider, tokenRow, pairTable, sentenceLine];
  const parts = makers.map((make) => make(model));

  function draw() {
    const state = read(model);
    parts.forEach((part) => part.draw(state));
    el.setAttribute("aria-label", model.get("description"));
  }

  el.classList.add("explorer", "explorer-bpe");
  el.setAttribute("role", "group");
  el.dataset.lmSuppressShortcuts = "true"; // JupyterLab leaves our keys to us.
  el.replaceChildren(...parts.map((part) => part.node));
  draw();

  const names = ["steps", "sentences", "language", "text", "step", "description"];
  for (const name of names) model.on(`change:${name}`, draw);
  return () => {
    for (const name of names) model.off(`change:${name}`, draw);
  };
}

export default { render };
