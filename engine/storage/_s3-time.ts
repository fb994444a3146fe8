/** When a store gave an answer, by its own clock. */

/** What the commands of the SDK have in common here. */
interface TimedCommand {
  readonly middlewareStack: {
    add(middleware: (next: (args: never) => Promise<{ response: unknown }>) => (args: never) => Promise<never>, options: object): void;
  };
}

/** Sends a command. `now`: of the answer; undefined if the store does not tell. */
export async function withTime<Command, Output>(
  command: Command,
  send: (command: Command) => Promise<Output>,
): Promise<{ now: Date | undefined; output: Output }> {
  let now: Date | undefined;
  (command as TimedCommand).middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      const { headers = {} } = result.response as { headers?: Record<string, string> };
      const time = Date.parse(headers.date ?? '');
      if (!Number.isNaN(time)) now = new Date(time);
      return result as never;
    },
    { step: 'deserialize', name: 'laganTime', priority: 'low' },
  );
  const output = await send(command);
  return { now, output };
}
