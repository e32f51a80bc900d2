/**
 * Reads weights from a file in the safetensors format: eight bytes with the length of a JSON
 * header, the header (name -> type, shape, place), and the numbers.
 *
 * @param {ArrayBuffer} buffer
 * @returns {{tensors: Object<string, {shape: number[], data: Float32Array}>, metadata: Object}}
 */
export function readSafetensors(buffer) {
  const length = Number(new DataView(buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
  const { __metadata__: metadata = {}, ...entries } = header;
  /** @type {Object<string, {shape: number[], data: Float32Array}>} */
  const tensors = {};
  for (const [name, { dtype, shape, data_offsets: offsets }] of Object.entries(entries)) {
    if (dtype !== "F32") throw new Error(`${name}: ${dtype} is not F32`);
    const [start, end] = offsets.map((offset) => 8 + length + offset);
    // Copied, because a view of 4-byte numbers must start at a multiple of four.
    tensors[name] = { shape, data: new Float32Array(buffer.slice(start, end)) };
  }
  return { tensors, metadata };
}
