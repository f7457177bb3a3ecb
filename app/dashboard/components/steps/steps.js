// Steps of the browser's history: one for each question, so that Back gives the question before.
//
// Streamlit replaces the address when a control is changed, and adds an entry whenever Python writes into the address, be it
// a camera, a corrected number, or the parameters that it takes out before another page comes. Here it is the other way
// round: what the user asks makes one entry, what a run writes into the address belongs to the entry of its question.
//
// This script stands in the page itself, before Streamlit's own. At the end of each run Python tells `settle` which question
// got its result: a question that came without a control of the address (a click on a map, a text in a form) gets its entry then.

/**
 * A run that is at its end: the name of its page, the names of all pages but the first, and the question.
 *
 * @typedef {{ page: string, names: string[], question: string }} Settled
 */

(() => {
  const SAME_CONTROL_MS = 1_000; // a slider that is moved on is one step
  const RUN_STARTS_MS = 30; // a control outside a form has begun a run by then
  const push = window.history.pushState.bind(window.history);
  const replace = window.history.replaceState.bind(window.history);

  /** @type {{ url: string, question: string | null }} */
  let entry = { url: window.location.href, question: null }; // what the entry we are on stands for, when last at rest
  let arriving = true; // the page was opened, or gone back to: what the run makes of the address is no step
  let ahead = false; // the question under way has its entry already
  let last = { names: '', at: 0 };

  /** @type {(url: string | URL) => URL} */
  const here = (url) => new URL(url, window.location.href);

  /**
   * The parameters in which two addresses differ.
   *
   * @param {string} one
   * @param {string} other
   */
  function difference(one, other) {
    const [before, after] = [here(one).searchParams, here(other).searchParams];
    const names = new Set([...before.keys(), ...after.keys()]);
    return [...names].filter((name) => before.getAll(name).join('\n') !== after.getAll(name).join('\n')).join(' ');
  }

  /**
   * A control was changed by the user: Streamlit gives the whole address then, and only its path for what Python writes.
   *
   * @param {string | URL | null | undefined} url
   */
  function asks(url) {
    return typeof url === 'string' && /^https?:/.test(url) && here(url).pathname === window.location.pathname;
  }

  function running() {
    const app = /** @type {HTMLElement | null} */ (document.querySelector('[data-testid=stApp]'));
    return app !== null && app.dataset.testScriptState !== 'notRunning';
  }

  /** What is in the address gets an entry of its own, and the entry that we are on its own address back. */
  function step(goesOn = false) {
    const url = window.location.href;
    if (url === entry.url) return;
    if (!goesOn) {
      replace({}, '', entry.url);
      push({}, '', url);
    }
    entry = { url, question: null };
    ahead = true;
  }

  /** The same control within a second, such as a slider by its keys, goes on with its step. */
  function stepOfControl() {
    const names = difference(entry.url, window.location.href);
    step(names === last.names && performance.now() - last.at < SAME_CONTROL_MS);
    last = { names, at: performance.now() };
  }

  window.history.replaceState = (state, unused, url) => {
    replace(state, unused, url);
    // a field of a form changes the address before the form is sent: that step waits for the run
    if (asks(url))
      setTimeout(() => {
        if (running()) stepOfControl();
      }, RUN_STARTS_MS);
  };

  window.history.pushState = (state, unused, url) => {
    if (url === undefined || url === null || here(url).pathname === window.location.pathname) {
      replace(state, unused, url);
      return;
    }
    replace({}, '', entry.url); // the page's parameters were taken out of its entry before it was left
    push(state, unused, url);
    arrive();
  };

  function arrive() {
    entry = { url: window.location.href, question: null };
    arriving = true;
    ahead = false;
    last = { names: '', at: 0 };
  }

  // before Streamlit's own listener, which asks Python for what the entry holds
  window.addEventListener('popstate', arrive);

  const steps = {
    /**
     * The run of this question is at its end, on the page of that name (of `names`; empty for the first page).
     *
     * @param {Settled} run
     */
    settle({ page, names, question }) {
      const at = window.location.pathname.replace(/\/$/, '').split('/').pop() ?? '';
      if ((names.includes(at) ? at : '') !== page) return; // the run of a page that was left meanwhile
      if (!arriving && !ahead && question !== entry.question) step();
      entry = { url: window.location.href, question };
      arriving = false;
      ahead = false;
    },
  };
  Object.assign(window, { [Symbol.for('polysema.steps')]: steps });
})();
