/** AES-256-GCM by the OpenSSL inside of Node, straight from memory to memory: https://docs.openssl.org/3.5/man3/EVP_EncryptInit/ */
import { type Aead, type AeadInputs, aeadTagSizeBytes, nodeAead } from '../../repo-format/mod.ts';
import { type FindFunction, findInProcess } from './_functions.ts';

const [decrypt, encrypt] = [0, 1];
const [getTag, setTag] = [0x10, 0x11];
const done = 1;

/** Undefined where OpenSSL's functions are not found, or do not give what node:crypto gives. */
export function openOpenssl(find: FindFunction = findInProcess): Aead | undefined {
  const newContext = find('EVP_CIPHER_CTX_new', 'int64_t');
  const aes256gcm = find('EVP_aes_256_gcm', 'int64_t');
  const initialize = find('EVP_CipherInit_ex', 'int', 'int64_t', 'int64_t', 'int64_t', 'void *', 'void *', 'int');
  const update = find('EVP_CipherUpdate', 'int', 'int64_t', 'void *', 'void *', 'void *', 'int');
  const finish = find('EVP_CipherFinal_ex', 'int', 'int64_t', 'void *', 'void *');
  const control = find('EVP_CIPHER_CTX_ctrl', 'int', 'int64_t', 'int', 'int', 'void *');
  if (!newContext || !aes256gcm || !initialize || !update || !finish || !control) return undefined;
  const [context, cipher] = [newContext(), aes256gcm()];
  if (context === 0 || cipher === 0) return undefined;
  const written = new Int32Array(1);
  const nothing = new Uint8Array(16);

  const begin = ({ key, nonce, additionalData }: AeadInputs, direction: number) => {
    expectDone('EVP_CipherInit_ex', initialize(context, cipher, 0, key, nonce, direction));
    expectDone('EVP_CipherUpdate', update(context, null, written, additionalData, additionalData.length));
  };
  const run = (input: Uint8Array, output: Uint8Array) => {
    if (output.length < input.length) throw new RangeError(`${input.length} bytes do not fit into ${output.length}`);
    expectDone('EVP_CipherUpdate', update(context, output, written, input, input.length));
  };

  const aead: Aead = {
    seal(inputs, parts, output) {
      begin(inputs, encrypt);
      let at = 0;
      for (const part of parts) {
        if (part.length > 0) run(part, output.subarray(at, -aeadTagSizeBytes));
        at += part.length;
      }
      expectDone('EVP_CipherFinal_ex', finish(context, nothing, written));
      expectDone('EVP_CIPHER_CTX_ctrl', control(context, getTag, aeadTagSizeBytes, output.subarray(at, at + aeadTagSizeBytes)));
    },
    open(inputs, sealed, output) {
      begin(inputs, decrypt);
      const tag = sealed.slice(output.length);
      if (tag.length !== aeadTagSizeBytes) throw new RangeError(`a tag of ${tag.length} bytes`);
      if (output.length > 0) run(sealed.subarray(0, output.length), output);
      expectDone('EVP_CIPHER_CTX_ctrl', control(context, setTag, aeadTagSizeBytes, tag));
      return finish(context, nothing, written) === done;
    },
  };
  return agrees(aead) ? aead : undefined;
}

function expectDone(name: string, result: number): void {
  if (result !== done) throw new Error(`OpenSSL: ${name} failed`);
}

/** A sample is sealed and opened as node:crypto does it, and a damaged one is refused. */
function agrees(aead: Aead): boolean {
  const bytes = (size: number, first: number) => Uint8Array.from({ length: size }, (_, index) => first + index);
  const inputs = { key: bytes(32, 1), nonce: bytes(12, 2), additionalData: bytes(21, 3) };
  const parts = [bytes(7, 4), bytes(100, 5)];
  const [ours, theirs, opened] = [new Uint8Array(107 + aeadTagSizeBytes), new Uint8Array(107 + aeadTagSizeBytes), new Uint8Array(107)];
  try {
    aead.seal(inputs, parts, ours);
    nodeAead.seal(inputs, parts, theirs);
    if (Buffer.compare(ours, theirs) !== 0 || !aead.open(inputs, ours, opened)) return false;
    if (Buffer.compare(opened, Buffer.concat(parts)) !== 0) return false;
    ours[50]! ^= 1;
    return !aead.open(inputs, ours, opened);
  } catch {
    return false;
  }
}
