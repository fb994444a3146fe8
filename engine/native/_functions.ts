import koffi from 'koffi';

/** A C function; pointers are given as views of the memory, or as the numbers that other functions returned. */
export type NativeFunction = (...parameters: (number | Uint8Array | Int32Array | null)[]) => number;

/** `undefined` where this process has no such function. */
export type FindFunction = (name: string, result: 'int' | 'int64_t', ...parameters: string[]) => NativeFunction | undefined;

/** Node's executable exports the functions of the libraries that are linked into it, for add-ons. */
export const findInProcess: FindFunction = (name, result, ...parameters) => {
  try {
    return koffi.load(null).func(name, result, parameters) as unknown as NativeFunction;
  } catch {
    return undefined;
  }
};
