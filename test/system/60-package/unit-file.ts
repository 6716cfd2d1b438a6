/** Reads a systemd unit, to run its command with its capabilities where there is no systemd. */

/** How to run the service. */
export interface Unit {
  /** The command, run by util-linux's setpriv with only the capabilities that the unit names. */
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/** @param text of the unit @param variables values of its EnvironmentFile @throws Error if the unit lacks a needed setting */
export function readUnit(text: string, variables: Readonly<Record<string, string>>): Unit {
  const capabilities = setting(text, 'CapabilityBoundingSet').map(
    (name) => `+${name.replace('CAP_', '').toLowerCase()}`,
  );
  const command = setting(text, 'ExecStart').flatMap((word) =>
    word.startsWith('$') ? (variables[word.slice(1)] ?? '').split(' ').filter(Boolean) : [word],
  );
  return {
    argv: ['setpriv', '--no-new-privs', `--bounding-set=-all,${capabilities.join(',')}`, ...command],
    environment: Object.fromEntries(setting(text, 'Environment').map((pair) => pair.split('=', 2))),
  };
}

function setting(text: string, name: string): string[] {
  const value = new RegExp(`^${name}=(.*)$`, 'm').exec(text)?.[1];
  if (value === undefined) throw new Error(`the unit has no ${name}`);
  return value.split(' ');
}
