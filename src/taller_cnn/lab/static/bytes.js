/** Bytes in text. */
import { readSafetensors } from "./safetensors.js";

/** The bytes that base64 text stands for. */
export function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0));
}

/** 28 x 28 pictures, one after the other in base64. */
export function picturesOf(base64) {
  const bytes = bytesOf(base64);
  const pictures = [];
  for (let at = 0; at < bytes.length; at += 784) pictures.push(bytes.slice(at, at + 784));
  return pictures;
}

/** Little-endian 4-byte numbers in base64. */
export function floatsOf(base64) {
  return new Float32Array(bytesOf(base64).buffer);
}

/** A model as the server and the exported page carry it: its card, and its weights by name. */
export function modelOf(buffer) {
  const { tensors, metadata } = readSafetensors(buffer);
  return { card: JSON.parse(metadata.card), tensors };
}

/** The bytes of a zlib stream in base64. */
export async function unpacked(base64) {
  const stream = new Blob([bytesOf(base64)]).stream();
  const inflated = stream.pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(inflated).arrayBuffer());
}
