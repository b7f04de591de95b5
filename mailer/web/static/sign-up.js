// Solves the puzzle of the sign-up form, so that robots have work and people have none.
// It begins when somebody touches the form; the button waits for it. Nothing is fetched.
"use strict";

(() => {
  const form = document.querySelector("form[data-challenge]");
  if (!form || !window.crypto || !crypto.subtle) return;
  const { challenge, salt, most } = form.dataset;
  const status = form.querySelector(".working");
  const encoder = new TextEncoder();
  const together = 250;
  let work = null;

  async function fits(number) {
    const digest = await crypto.subtle.digest("SHA-256", encoder.encode(salt + number));
    const hex = Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0"));
    return hex.join("") === challenge;
  }

  async function solve() {
    for (let first = 0; first <= Number(most); first += together) {
      const numbers = Array.from({ length: together }, (_, index) => first + index);
      const right = await Promise.all(numbers.map(fits));
      if (right.includes(true)) return numbers[right.indexOf(true)];
    }
    return "";
  }

  function begin() {
    work ??= solve().then((number) => {
      form.elements.number.value = number;
    });
    return work;
  }

  form.addEventListener("focusin", begin, { once: true });
  form.addEventListener("submit", (event) => {
    if (form.elements.number.value !== "") return;
    event.preventDefault();
    status.textContent = status.dataset.words;
    begin().then(() => HTMLFormElement.prototype.submit.call(form));
  });
})();
