/** The accounts of a node that host0 boots. Pure. */

/** An account of the node. Its group has the same number. */
interface Account {
  readonly name: string;
  readonly number: number;
  readonly group: string;
  readonly title: string;
  readonly home: string;
  readonly shell: string;
}

const NO_LOGIN = { home: '/nonexistent', shell: '/usr/sbin/nologin' } as const;
const ACCOUNTS: readonly Account[] = [
  { name: 'root', number: 0, group: 'root', title: 'root', home: '/root', shell: '/bin/sh' },
  // Whom the emulators of virtual machines become. A package of the overlay may bring accounts with the numbers from 100 on.
  { name: 'meshwork-vm', number: 990, group: 'meshwork-vm', title: 'Virtual machines of Meshwork', ...NO_LOGIN },
  // Whom the servers of networks become.
  { name: 'meshwork-net', number: 991, group: 'meshwork-net', title: 'Servers of networks of Meshwork', ...NO_LOGIN },
  { name: 'nobody', number: 65_534, group: 'nogroup', title: 'nobody', ...NO_LOGIN },
];
/** Groups without an account. */
const GROUPS = ['tty:x:5:'] as const;

/** The files of the accounts. No account can log in unless the overlay adds a key or a password. */
export function accountFiles(): readonly { readonly path: string; readonly text: string; readonly mode: number }[] {
  const passwd = ACCOUNTS.map(
    ({ name, number, title, home, shell }) => `${name}:x:${number}:${number}:${title}:${home}:${shell}`,
  );
  const shadow = ACCOUNTS.map(({ name }) => `${name}:*:::::::`);
  const group = [...ACCOUNTS.map(({ group: word, number }) => `${word}:x:${number}:`), ...GROUPS];
  const text = (lines: readonly string[]) => lines.map((line) => `${line}\n`).join('');
  return [
    { path: 'etc/passwd', text: text(passwd), mode: 0o644 },
    { path: 'etc/shadow', text: text(shadow), mode: 0o600 },
    { path: 'etc/group', text: text(group), mode: 0o644 },
  ];
}
