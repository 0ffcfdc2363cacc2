// static/js/fill.js: what is typed into [data-fills="2"] stands at once in every [data-slot="2"] of the text, as plain text.
// An empty field gives the slot its data-default back, or its placeholder (data-written). [data-unfilled] says in its
// data-words ({n} is the number) how many placeholders are left, or its data-done.
{
  const fill = (field) => {
    const slots = document.querySelectorAll(`[data-slot="${Number(field.dataset.fills)}"]`);
    const value = field.value || slots[0]?.dataset.default;
    for (const slot of slots) {
      slot.textContent = value ?? slot.dataset.written;
      slot.classList.toggle("slot--filled", value !== undefined);
    }
  };

  const count = () => {
    const counter = document.querySelector("[data-unfilled]");
    if (!counter) return;
    const open = [...document.querySelectorAll(".slot[data-slot]:not(.slot--filled)")];
    const left = new Set(open.map((slot) => slot.dataset.slot)).size;
    const words = left ? counter.dataset.words.replace("{n}", left) : counter.dataset.done;
    if (counter.textContent !== words) counter.textContent = words; // a live region: said only when it changes
  };

  const fillAll = (fields) => { fields.forEach(fill); count(); };

  document.addEventListener("input", ({ target }) => { if (target.matches("[data-fills]")) fillAll([target]); });
  addEventListener("pageshow", () => fillAll(document.querySelectorAll("[data-fills]"))); // what the browser put back
}
