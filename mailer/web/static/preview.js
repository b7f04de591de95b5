// Follows the editor: reloads the page after each save, keeps its place, gives frames their height.
'use strict';

const place = 'preview-place';
const live = document.getElementById('live');
const form = document.getElementById('choose');

// A frame is as high as its mail, so that the page scrolls and the frame does not.
const fit = (frame) => {
  const page = frame.contentDocument && frame.contentDocument.documentElement;
  if (page) frame.height = Math.min(20000, Math.max(200, page.scrollHeight + 2));
};
const restore = () => {
  const kept = sessionStorage.getItem(place);
  if (kept !== null) window.scrollTo(0, Number(kept));
};
for (const frame of document.querySelectorAll('iframe')) {
  const ready = () => { fit(frame); restore(); };
  frame.addEventListener('load', ready);
  if (frame.contentDocument && frame.contentDocument.readyState === 'complete') ready();
}
window.addEventListener('load', () => { restore(); sessionStorage.removeItem(place); });

if (form) {
  form.addEventListener('change', (event) => {
    if (event.target.name !== 'as') form.requestSubmit();
  });
}

const events = new EventSource('events');
events.addEventListener('saved', () => {
  sessionStorage.setItem(place, String(window.scrollY));
  window.location.reload();
});
events.addEventListener('open', () => { live.textContent = 'Follows your editor'; });
events.addEventListener('error', () => { live.textContent = 'The preview has stopped'; });
window.addEventListener('pagehide', () => events.close());
