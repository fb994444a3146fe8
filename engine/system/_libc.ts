/**
 * The only bindings to the C library in this project.
 *
 * `dlopen(NULL)` finds the C library that the process runs on, glibc or musl. Every pointer is passed as a plain number, an address inside the
 * scratch memory of the thread (`_scratch.ts`); that is the fastest form that koffi has and allocates nothing. Every call returns what C returns;
 * after −1, {@link failure} tells why. Calls that a C library of the supported age may lack go through `syscall`.
 */

import koffi from 'koffi';

const library = koffi.load(null);

/** What x64 and arm64 number differently; calls since Linux 5.1 have one number everywhere. */
const numbers = {
  x64: { statx: 332, getdents64: 217, renameat2: 316 },
  arm64: { statx: 291, getdents64: 61, renameat2: 276 },
}[process.arch as 'x64' | 'arm64'];
if (numbers === undefined || process.platform !== 'linux')
  throw new Error(`lagan runs on Linux on x64 and arm64, not on ${process.platform} ${process.arch}`);

export const systemCall = {
  ...numbers,
  openat2: 437,
  fchmodat2: 452,
  getxattrat: 464,
  listxattrat: 465,
} as const;

type Call<Parameters extends number[]> = (...parameters: Parameters) => number;
type Address = number;

function bind<Parameters extends number[]>(name: string, ...parameters: string[]): Call<Parameters> {
  return library.func(name, 'int64_t', parameters) as unknown as Call<Parameters>;
}

/** Like {@link bind} for functions whose result is an `int`. */
function bindInt<Parameters extends number[]>(name: string, ...parameters: string[]): Call<Parameters> {
  return library.func(name, 'int', parameters) as unknown as Call<Parameters>;
}

/** For functions that are younger than some supported C library. */
function bindOrUndefined<Parameters extends number[]>(name: string, ...parameters: string[]): Call<Parameters> | undefined {
  try {
    return bindInt(name, ...parameters);
  } catch {
    return undefined;
  }
}

const [int, address, long, u32] = ['int', 'int64_t', 'int64_t', 'uint32_t'];

export const libc = {
  openat: bindInt<[folder: number, name: Address, flags: number, mode: number]>('openat', int, address, int, u32),
  close: bindInt<[descriptor: number]>('close', int),
  lseek: bind<[descriptor: number, offset: number, whence: number]>('lseek', int, long, int),
  fallocate: bindInt<[descriptor: number, mode: number, offset: number, length: number]>('fallocate', int, int, long, long),
  syncfs: bindInt<[descriptor: number]>('syncfs', int),
  ioctl: bindInt<[descriptor: number, request: number, argument: Address]>('ioctl', int, long, address),
  readlinkat: bind<[folder: number, name: Address, buffer: Address, size: number]>('readlinkat', int, address, address, long),

  mkdirat: bindInt<[folder: number, name: Address, mode: number]>('mkdirat', int, address, u32),
  mknodat: bindInt<[folder: number, name: Address, mode: number, device: number]>('mknodat', int, address, u32, long),
  symlinkat: bindInt<[target: Address, folder: number, name: Address]>('symlinkat', address, int, address),
  linkat: bindInt<[fromFolder: number, from: Address, folder: number, name: Address, flags: number]>(
    'linkat',
    int,
    address,
    int,
    address,
    int,
  ),
  unlinkat: bindInt<[folder: number, name: Address, flags: number]>('unlinkat', int, address, int),

  fchown: bindInt<[descriptor: number, uid: number, gid: number]>('fchown', int, u32, u32),
  fchownat: bindInt<[folder: number, name: Address, uid: number, gid: number, flags: number]>('fchownat', int, address, u32, u32, int),
  fchmod: bindInt<[descriptor: number, mode: number]>('fchmod', int, u32),
  chmod: bindInt<[path: Address, mode: number]>('chmod', address, u32),
  futimens: bindInt<[descriptor: number, times: Address]>('futimens', int, address),
  utimensat: bindInt<[folder: number, name: Address, times: Address, flags: number]>('utimensat', int, address, address, int),

  flistxattr: bind<[descriptor: number, list: Address, size: number]>('flistxattr', int, address, long),
  fgetxattr: bind<[descriptor: number, name: Address, value: Address, size: number]>('fgetxattr', int, address, address, long),
  fsetxattr: bindInt<[descriptor: number, name: Address, value: Address, size: number, flags: number]>(
    'fsetxattr',
    int,
    address,
    address,
    long,
    int,
  ),
  fremovexattr: bindInt<[descriptor: number, name: Address]>('fremovexattr', int, address),
  llistxattr: bind<[path: Address, list: Address, size: number]>('llistxattr', address, address, long),
  lgetxattr: bind<[path: Address, name: Address, value: Address, size: number]>('lgetxattr', address, address, address, long),
  setxattr: bindInt<[path: Address, name: Address, value: Address, size: number, flags: number]>(
    'setxattr',
    address,
    address,
    address,
    long,
    int,
  ),
  removexattr: bindInt<[path: Address, name: Address]>('removexattr', address, address),
  listxattr: bind<[path: Address, list: Address, size: number]>('listxattr', address, address, long),

  _exit: bindInt<[exitCode: number]>('_exit', int),

  getpwuid_r: bindInt<[uid: number, entry: Address, buffer: Address, size: number, result: Address]>(
    'getpwuid_r',
    u32,
    address,
    address,
    long,
    address,
  ),
  getgrgid_r: bindInt<[gid: number, entry: Address, buffer: Address, size: number, result: Address]>(
    'getgrgid_r',
    u32,
    address,
    address,
    long,
    address,
  ),
  getpwnam_r: bindInt<[name: Address, entry: Address, buffer: Address, size: number, result: Address]>(
    'getpwnam_r',
    address,
    address,
    address,
    long,
    address,
  ),
  getgrnam_r: bindInt<[name: Address, entry: Address, buffer: Address, size: number, result: Address]>(
    'getgrnam_r',
    address,
    address,
    address,
    long,
    address,
  ),

  statx: bindOrUndefined<[folder: number, name: Address, flags: number, mask: number, status: Address]>(
    'statx',
    int,
    address,
    int,
    u32,
    address,
  ),
  syscall: bind<[number: number, a: number, b: number, c: number, d: number, e: number, f: number]>(
    'syscall',
    long,
    long,
    long,
    long,
    long,
    long,
    long,
  ),
};

/** −errno of the call that has just returned −1 in this thread. */
export function failure(): number {
  return -koffi.errno();
}

/** The address of memory that never moves: `buffer` must be kept for as long as the address is used. */
export function addressOf(buffer: ArrayBuffer): Address {
  return Number(koffi.address(new Uint8Array(buffer)));
}
