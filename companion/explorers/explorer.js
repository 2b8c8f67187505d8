// Mounts an explorer where no kernel runs: the module that Jupyter would load, on a small model of its own.
(async (page) => {
  function createModel(state) {
    const listeners = {};
    const callbacks = (event) => (listeners[event] ??= new Set());
    const fire = (event) => [...callbacks(event)].forEach((callback) => callback());
    return {
      get: (name) => state[name],
      set(name, value) {
        state[name] = value;
        fire(`change:${name}`);
        fire("change");
      },
      on: (event, callback) => callbacks(event).add(callback),
      off: (event, callback) => callbacks(event).delete(callback),
      save_changes() {},
    };
  }

  async function importText(text) {
    const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
    try {
      return await import(url);
    } finally {
      URL.revokeObjectURL(url);
    }
  }

  const source = JSON.parse(page.querySelector('script[type="application/json"]').textContent);
  const explorer = (await importText(source.module)).default;
  await explorer.render({ model: createModel(source.state), el: page.querySelector(".explorer-live") });
  page.classList.add("explorer-ready");
})(document.currentScript.parentElement);
