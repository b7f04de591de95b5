// Searches the list of all issues on a site that is written as files, where no server could.
// Without it the list is whole, and the browser's own search finds titles.
(() => {
  const field = document.getElementById('search');
  const input = document.getElementById('q');
  const none = document.getElementById('none');
  // As the program folds text: upper case of lower case, composed.
  const fold = (text) => text.normalize('NFC').toLowerCase().toUpperCase();
  const issues = [...document.querySelectorAll('li[data-words]')];
  const search = () => {
    const terms = fold(input.value).split(/\s+/).filter(Boolean);
    let found = 0;
    for (const issue of issues) {
      issue.hidden = !terms.every((term) => issue.dataset.words.includes(term));
      found += issue.hidden ? 0 : 1;
    }
    for (const month of document.querySelectorAll('section.shelf')) {
      month.hidden = !month.querySelector('li:not([hidden])');
    }
    none.textContent = found ? '' : none.dataset.none;
  };
  field.hidden = false;
  input.addEventListener('input', search);
})();
