// static/js/count.js: a counter under every field with data-count="2000", in the words of data-count-left and -over ({n} is the
// number). It is said aloud a second after the last key, and only near the end.
{
  const NEAR = 100; // characters left from which on it is said
  let timer;

  const show = (field, isSaid) => {
    let counter = field.parentElement.querySelector(".field__count");
    if (!counter) {
      counter = document.createElement("p");
      counter.className = "field__count";
      field.after(counter);
    }
    const left = Number(field.dataset.count) - [...field.value.trim()].length;
    const words = left < 0 ? field.dataset.countOver : field.dataset.countLeft;
    counter.textContent = words.replace("{n}", Math.abs(left).toLocaleString());
    counter.classList.toggle("field__count--over", left < 0);
    clearTimeout(timer);
    if (isSaid && left < NEAR) {
      timer = setTimeout(() => { document.querySelector("#announcer").textContent = counter.textContent; }, 1000);
    }
  };

  document.addEventListener("input", ({ target }) => { if (target.matches("[data-count]")) show(target, true); });
  for (const field of document.querySelectorAll("[data-count]")) show(field, false);
}
