// ---------------------------------------------------------------------------------------- selections over time

// A selection is { rows, by, clicked, region }: ascending rows (never empty), how they were chosen, the clicked row or
// null, and the region when there is one. No selection is null.

/** Selections for undo and redo, bounded in number and in rows. */
class SelectionHistory {
  constructor() {
    this.clear(null);
  }

  clear(present) {
    this.entries = [present];
    this.place = 0;
  }

  add(selection) {
    this.entries.length = this.place + 1;
    this.entries.push(selection);
    let rows = this.entries.reduce((sum, entry) => sum + (entry?.rows.length ?? 0), 0);
    while (this.entries.length > 2 && (this.entries.length > MAX_HISTORY || rows > MAX_HISTORY_ROWS)) {
      rows -= this.entries.shift()?.rows.length ?? 0;
    }
    this.place = this.entries.length - 1;
  }

  can(step) {
    return this.place + step >= 0 && this.place + step < this.entries.length;
  }

  /** The selection one step back (-1) or forth (1). */
  go(step) {
    this.place += step;
    return this.entries[this.place];
  }
}

function sameRows(a, b) {
  if (a === b) return true;
  if (!a || !b || a.length !== b.length) return false;
  for (let i = 0; i < a.length; i += 1) if (a[i] !== b[i]) return false;
  return true;
}

/** Rows as Python sends them: a list, or a bit for each point in base64. */
function decodeRows({ rows, bits }, count) {
  if (rows) return Int32Array.from(rows);
  const packed = Uint8Array.from(atob(bits), (character) => character.charCodeAt(0));
  const found = [];
  for (let row = 0; row < count; row += 1) if ((packed[row >> 3] >> (row & 7)) & 1) found.push(row);
  return Int32Array.from(found);
}

function encodeBits(rows, count) {
  const packed = new Uint8Array((count + 7) >> 3);
  for (const row of rows) packed[row >> 3] |= 1 << (row & 7);
  let text = '';
  for (let i = 0; i < packed.length; i += 4096) text += String.fromCharCode(...packed.subarray(i, i + 4096));
  return btoa(text);
}

// ------------------------------------------------------------------------------------------------------- groups

// Plots of a group tell each other about hover and selection through one event target per page: no run of Python.
const GROUPS = Symbol.for('polysema.scatter.groups');

function groupBus() {
  window[GROUPS] ??= new EventTarget();
  return window[GROUPS];
}
