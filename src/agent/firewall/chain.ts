/** The chains in the output of `nft list ruleset`: enough to find those that drop packets which no rule names. */

/** One chain, with its rules as text. */
export interface Chain {
  /** `ip`, `ip6`, `inet`, `bridge` … */
  readonly family: string;
  readonly table: string;
  readonly name: string;
  /** `input`, `forward` …; absent for a chain that packets enter only by a jump. */
  readonly hook?: string;
  /** `filter`, `nat` …; only with a hook. */
  readonly type?: string;
  readonly policy?: 'accept' | 'drop';
  readonly rules: readonly string[];
}

/** A rule that matches every packet and refuses it. */
const REFUSES_ALL = /^(?:counter )?(?:drop|reject(?: with .*)?)$/;

/** @param ruleset the output of `nft list ruleset`. Other objects, such as sets, are left out */
export function parseChains(ruleset: string): Chain[] {
  const chains: Chain[] = [];
  let [family, table] = ['', ''];
  let chain: (Chain & { rules: string[] }) | undefined;
  for (const raw of ruleset.split('\n')) {
    const line = raw.trim();
    const opensTable = /^table (\S+) (\S+) \{/.exec(line);
    const opensChain = /^chain (\S+) \{/.exec(line);
    if (opensTable !== null) [, family = '', table = ''] = opensTable;
    else if (opensChain !== null) chain = { family, table, name: opensChain[1] ?? '', rules: [] };
    else if (chain === undefined) continue;
    else if (line === '}') {
      chains.push(chain);
      chain = undefined;
    } else {
      const base = /^type (\S+) hook (\S+) .*?(?:policy (accept|drop);)?$/.exec(line);
      if (base === null) chain.rules.push(line);
      else {
        const [, type = '', hook = '', policy] = base;
        chain = { ...chain, hook, type, ...((policy === 'accept' || policy === 'drop') && { policy }) };
      }
    }
  }
  return chains;
}

/** Whether packets that no rule names are dropped or rejected. */
export function refusesByDefault({ policy, rules }: Chain): boolean {
  return policy === 'drop' || REFUSES_ALL.test(rules.at(-1) ?? '');
}

/** The rules that a packet may meet from this chain on: those of its whole table, since chains jump to each other. */
export function rulesAround(chain: Chain, chains: readonly Chain[]): string[] {
  return chains
    .filter(({ family, table }) => family === chain.family && table === chain.table)
    .flatMap(({ rules }) => rules);
}

/** `inet firewalld filter_INPUT`, as nft takes it in `insert rule`. */
export function chainText({ family, table, name }: Chain): string {
  return `${family} ${table} ${name}`;
}
