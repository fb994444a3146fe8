/** Asks the person at the terminal, whatever standard input and output are. */
import { closeSync, openSync } from 'node:fs';
import { ReadStream } from 'node:tty';

const [ctrlC, ctrlD, backspace, ctrlU, deletion] = [3, 4, 8, 21, 127];
const maximumBytes = 4096;

/** A line typed without echo; empty if nothing was typed before Ctrl-D, undefined if the process has no terminal. */
export async function askPassword(prompt: string, signal: AbortSignal): Promise<string | undefined> {
  let descriptor: number;
  try {
    descriptor = openSync('/dev/tty', 'r+');
  } catch {
    return undefined;
  }
  const terminal = new ReadStream(descriptor);
  const screen = openSync('/dev/tty', 'w');
  try {
    const { writeSync } = await import('node:fs');
    writeSync(screen, prompt);
    terminal.setRawMode(true);
    const answer = await readLine(terminal, signal);
    writeSync(screen, '\n');
    return answer;
  } finally {
    terminal.setRawMode(false);
    terminal.destroy();
    closeSync(screen);
  }
}

function readLine(terminal: ReadStream, signal: AbortSignal): Promise<string | undefined> {
  const typed: number[] = [];
  return new Promise((resolve) => {
    const end = (answer: string | undefined) => {
      signal.removeEventListener('abort', giveUp);
      resolve(answer);
    };
    const giveUp = () => end(undefined);
    signal.addEventListener('abort', giveUp);
    terminal.on('error', giveUp);
    terminal.on('end', giveUp);
    terminal.on('data', (bytes: Buffer) => {
      for (const byte of bytes) {
        if (byte === 13 || byte === 10) return end(Buffer.from(typed).toString('utf8'));
        if (byte === ctrlC) process.kill(process.pid, 'SIGINT');
        else if (byte === ctrlD && typed.length === 0) return end('');
        else if (byte === ctrlU) typed.length = 0;
        else if (byte === backspace || byte === deletion) removeCharacter(typed);
        else if (byte >= 32 && typed.length < maximumBytes) typed.push(byte);
      }
    });
  });
}

/** Takes away the last character of UTF-8 text. */
function removeCharacter(typed: number[]): void {
  while (typed.length > 0 && (typed.pop()! & 0xc0) === 0x80);
}
