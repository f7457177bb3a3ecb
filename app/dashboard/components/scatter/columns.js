// Numeric columns that stand one after the other in a buffer.

/** @typedef {[string, 'f4' | 'u2' | 'u1', number]} ColumnLayout Name, kind, length. */

/**
 * The columns by name, as typed arrays on the buffer; null where it is longer or shorter than they are.
 *
 * @param {ColumnLayout[]} layout
 * @param {ArrayBuffer} buffer
 */
export function columnsOfBuffer(layout, buffer) {
  const kinds = { f4: Float32Array, u2: Uint16Array, u1: Uint8Array };
  /** @type {Record<string, Float32Array | Uint16Array | Uint8Array>} */
  const columns = {};
  let offset = 0;
  for (const [name, kind, length] of layout) {
    const size = length * kinds[kind].BYTES_PER_ELEMENT;
    if (offset + size > buffer.byteLength) return null;
    columns[name] = new kinds[kind](buffer, offset, length);
    offset += size;
  }
  return offset === buffer.byteLength ? columns : null;
}
