// ------------------------------------------------------------------------------------------------------ loading

/** Brings the points of a large cloud to a plot, whatever happens on the way; each failure is told in one line. */
class PointLoader {
  constructor(plot) {
    this.plot = plot;
    this.loading = null; // { data, abort, tries, timer }: points on their way
    this.missing = null; // what Python is told when the server doesn't hold the points
  }

  /** Fetch the points of `data`, once; what is shown stays until they are here. */
  load(data) {
    if (this.loading?.data.version === data.version && this.loading.data.attempt === data.attempt) {
      this.loading.data = data;
      return;
    }
    this.stop();
    const loading = { data, abort: new AbortController(), tries: 0, timer: 0 };
    this.loading = loading;
    this.plot.root.dataset.settled = '0';
    const note = `Loading ${data.count.toLocaleString()} points …`;
    loading.timer = setTimeout(() => this.plot.showNote(note), NOTE_DELAY_MS); // most come sooner
    this.tryLoading(loading);
  }

  async tryLoading(loading) {
    let fetched;
    try {
      fetched = await fetchColumns(loading.data, loading.abort.signal);
    } catch (error) {
      if (this.loading !== loading || this.plot.failed) return;
      clearTimeout(loading.timer);
      if (error instanceof TransportError) this.onNotLoaded(loading, error);
      else this.plot.fail(error);
      return;
    }
    if (this.loading !== loading) return;
    clearTimeout(loading.timer);
    this.loading = null;
    this.missing = null;
    this.plot.guarded(() => this.show(loading.data, fetched))();
  }

  show(data, fetched) {
    const { plot } = this;
    const texts = new RemoteTexts(data, {
      onArrival: plot.guarded(() => plot.onTexts()),
      onGone: plot.guarded(() => this.askAgain(plot.latest)),
    });
    plot.takePoints(data, columnsOfFetch(data, fetched, texts), texts);
  }

  onNotLoaded(loading, error) {
    const delays = error.gone ? GONE_RETRY_MS : RETRY_MS;
    if (loading.tries === delays.length) {
      this.offerRetry(loading, error);
      return;
    }
    if (error.gone) {
      this.plot.showNote('The server no longer holds these points; asking for them again …');
      this.askAgain(loading.data);
    } else {
      this.plot.showNote(`Loading the points failed: ${error.message}. Trying again …`);
    }
    loading.timer = setTimeout(() => this.tryLoading(loading), delays[loading.tries]);
    loading.tries += 1;
  }

  offerRetry(loading, error) {
    this.plot.showNote(`Loading the points failed: ${error.message}.`);
    const again = html('button', { type: 'button', class: 'again' }, ['Try again']);
    again.addEventListener('click', () => {
      loading.tries = 0;
      this.missing = null;
      this.plot.emitted = null;
      this.plot.showNote('Loading the points …');
      this.tryLoading(loading);
    });
    this.plot.note.append(' ', again);
  }

  /** The server let go of the points: the next run of Python brings them back, or sends all when that was in vain. */
  askAgain({ version, attempt }) {
    if (this.missing?.version === version && this.missing.tries > attempt) return; // under way
    this.missing = { version, tries: attempt + 1 };
    this.plot.emit();
  }

  stop() {
    if (!this.loading) return;
    clearTimeout(this.loading.timer);
    this.loading.abort.abort();
    this.loading = null;
    this.missing = null;
    this.plot.showNote(this.plot.standingNote());
  }

  /** Python has answered: what was missing is no more. */
  hear(data) {
    if (this.missing && data.attempt >= this.missing.tries) this.missing = null;
  }

  dispose() {
    this.loading?.abort.abort();
    clearTimeout(this.loading?.timer);
  }
}
