/** `<dns>` and `<domain>`: the names of a network. */
import type { DnsForwarder, NetworkDns, SrvRecord } from '../../../model/network/dns.ts';
import {
  attribute,
  childOf,
  childrenOf,
  contentOf,
  placeIn,
  refusal,
  typedAddress,
  typedNumber,
  word,
  yesNo,
} from '../text/element-reader.ts';
import { LIBVIRT_CODE, type XmlNetworkError } from '../text/xml-error.ts';
import type { XmlElement } from '../text/xml-tree.ts';
import type { Notes } from './notes.ts';

const { unsupported, xmlDetail } = LIBVIRT_CODE;
const SERVICE_LENGTH_MAX = 482;

type DnsHost = NetworkDns['hosts'][number];
type TxtRecord = NetworkDns['txt'][number];

/** The names of a network; undefined where the document says nothing of names. @throws XmlNetworkError */
export function readDns(root: XmlElement, notes: Notes): NetworkDns | undefined {
  const domain = childOf(root, 'domain');
  const dns = childOf(root, 'dns');
  const domainName = domain && (word(domain, 'name') || undefined);
  const localOnly = domain && yesNo(domain, 'localOnly');
  const register = domain && yesNo(domain, 'register');
  if (domain !== undefined && register === true && localOnly !== true) {
    throw refusal(`register requires localOnly='yes' in the domain of network '${notes.name}'`, {
      at: placeIn(domain, 'register'),
      code: unsupported,
      rule: 'Only a domain that is answered here alone is told to the resolver of the host.',
      remedy: "Write localOnly='yes'",
    });
  }
  const enabled = dns && yesNo(dns, 'enable');
  const forwardPlainNames = dns && yesNo(dns, 'forwardPlainNames');
  const parts = {
    forwarders: dns === undefined ? [] : childrenOf(dns, 'forwarder').map((one) => readForwarder(one, notes)),
    txt: dns === undefined ? [] : childrenOf(dns, 'txt').map((one) => readTxt(one, notes)),
    srv: dns === undefined ? [] : childrenOf(dns, 'srv').map((one) => readSrv(one, notes)),
    hosts: dns === undefined ? [] : childrenOf(dns, 'host').map((one) => readDnsHost(one, notes)),
  };
  const count = Object.values(parts).reduce((sum, list) => sum + list.length, 0);
  if (dns !== undefined && enabled === false && (count > 0 || forwardPlainNames !== undefined)) {
    throw refusal(`Extra data in disabled network '${notes.name}'`, {
      at: dns,
      rule: 'A network whose DNS is off has no names.',
      remedy: "Leave enable='no' out, or the names",
    });
  }
  const flags = {
    ...(enabled !== undefined && { enabled }),
    ...(forwardPlainNames !== undefined && { forwardPlainNames }),
    ...(domainName !== undefined && {
      domain: domainName,
      ...(localOnly !== undefined && { localOnly }),
      ...(register !== undefined && { register }),
    }),
  };
  return count === 0 && Object.keys(flags).length === 0 ? undefined : { ...flags, ...parts };
}

function readForwarder(element: XmlElement, { name }: Notes): DnsForwarder {
  const [domain, typed] = [word(element, 'domain'), word(element, 'addr')];
  const rule = 'A forwarder has the address of a server, or a domain, or both.';
  if (domain === undefined && typed === undefined) {
    throw refusal('Invalid forwarder element, must contain at least one of addr or domain', { at: element, rule });
  }
  const address = typed === undefined ? undefined : typedAddress(typed);
  if (typed !== undefined && address === undefined) {
    throw refusal(`Invalid forwarder IP address '${typed}' in network '${name}'`, {
      at: placeIn(element, 'addr'),
      rule,
    });
  }
  const port = portOf(element, 'port', 'invalid port in the forwarder element');
  return {
    ...(address !== undefined && { address }),
    ...(address !== undefined && port !== undefined && { port }),
    ...(domain !== undefined && { domain }),
  };
}

function portOf(element: XmlElement, name: string, message: string): number | undefined {
  const text = word(element, name);
  if (text === undefined) return undefined;
  const port = typedNumber(text);
  if (port !== undefined && port >= 1 && port <= 65_535) return port;
  throw refusal(message, { at: placeIn(element, name), code: xmlDetail, rule: 'A port is a number from 1 to 65535.' });
}

/** One `<txt>`. @param isPartial whether the value may be missing, as where a record is looked for. @throws XmlNetworkError */
export function readTxt(element: XmlElement, { name: network }: Notes, isPartial = false): TxtRecord {
  const [name, value] = [word(element, 'name'), word(element, 'value')];
  const say = (message: string, at: string, rule: string) =>
    refusal(message, { at: placeIn(element, at), code: xmlDetail, rule });
  if (name === undefined) {
    const message = `missing required name attribute in DNS TXT record of network ${network}`;
    throw say(message, 'name', 'A record has a name.');
  }
  if (/[ ,]/.test(name)) {
    const message = `prohibited character in DNS TXT record name '${name}' of network ${network}`;
    throw say(message, 'name', 'The name of a record has neither blanks nor commas.');
  }
  if (value === undefined && !isPartial) {
    const message = `missing required value attribute in DNS TXT record named '${name}' of network ${network}`;
    throw say(message, 'value', 'A record has a value.');
  }
  return { name, value: value ?? '' };
}

function readDnsHost(element: XmlElement, notes: Notes): DnsHost {
  const { address, names } = readSoughtHost(element, notes, false);
  if (address === undefined) throw new Error('a host without an address');
  return { address, names };
}

/** A host of the names, or what one is looked for by. */
export interface SoughtHost {
  readonly address?: DnsHost['address'];
  readonly names: readonly string[];
}

/** One `<host>` of `<dns>`. @param isPartial whether parts may be missing, as where a host is looked for. @throws XmlNetworkError */
export function readSoughtHost(element: XmlElement, { name }: Notes, isPartial = true): SoughtHost {
  const typed = word(element, 'ip');
  const say = (message: string, at: XmlElement) =>
    refusal(message, { at, code: xmlDetail, rule: 'A host has an address, ip, and one or more names, <hostname>.' });
  const address = typed === undefined ? undefined : typedAddress(typed);
  if (typed === undefined && !isPartial) throw say(`Missing IP address in network '${name}' DNS HOST record`, element);
  if (typed !== undefined && address === undefined) {
    throw refusal(`Invalid IP address in network '${name}' DNS HOST record`, {
      at: placeIn(element, 'ip'),
      code: xmlDetail,
      rule: 'The address of a host is an IPv4 or IPv6 address.',
    });
  }
  const names = childrenOf(element, 'hostname').map((one) => contentOf(one));
  const empty = childrenOf(element, 'hostname').find((one) => contentOf(one) === '');
  if (empty !== undefined || (names.length === 0 && !isPartial)) {
    throw say(`Missing hostname in network '${name}' DNS HOST record`, empty ?? element);
  }
  return { names, ...(address !== undefined && { address }) };
}

/** One `<srv>`. @param isPartial whether parts may be missing, as where a record is looked for. @throws XmlNetworkError */
export function readSrv(element: XmlElement, { name: network }: Notes, isPartial = false): SrvRecord {
  const [service, protocol, domain, target] = ['service', 'protocol', 'domain', 'target'].map((one) =>
    word(element, one),
  );
  const say = (message: string, at: string, rule: string): XmlNetworkError =>
    refusal(message, { at: placeIn(element, at), code: xmlDetail, rule });
  if (service === undefined && !isPartial) {
    const message = `missing required service attribute in DNS SRV record of network '${network}'`;
    throw say(message, 'service', 'A record names its service, as ldap.');
  }
  if (service !== undefined && service.length > SERVICE_LENGTH_MAX) {
    const message = `service attribute '${service}' in network '${network}' is too long, limit is ${SERVICE_LENGTH_MAX} bytes`;
    throw say(message, 'service', `A service has at most ${SERVICE_LENGTH_MAX} characters.`);
  }
  if (service !== undefined && !/^[A-Za-z0-9_\-+/*]+$/.test(service)) {
    const message = `invalid character in service attribute '${service}' in DNS SRV record of network '${network}'`;
    throw say(message, 'service', 'A service has letters, digits and the characters _ - + / *');
  }
  if (protocol === undefined && !isPartial) {
    const message = `missing required protocol attribute in DNS SRV record '${service}' of network '${network}'`;
    throw say(message, 'protocol', 'A record names its protocol, as tcp.');
  }
  if (protocol !== undefined && !/^[A-Za-z0-9\-+/]+$/.test(protocol)) {
    const message = `invalid character in protocol attribute '${protocol}' in DNS SRV record of network '${network}'`;
    throw say(message, 'protocol', 'A protocol has letters, digits and the characters - + /');
  }
  const where = `for service '${service ?? ''}' in network '${network}'`;
  const number = (which: string, min: number, message: string): number | undefined => {
    const text = word(element, which);
    if (text === undefined) return undefined;
    if (target === undefined && !isPartial) {
      const said = `DNS SRV ${which} attribute not permitted without target ${where}`;
      throw say(said, which, 'Port, priority and weight are those of a target.');
    }
    const value = typedNumber(text);
    if (value !== undefined && value >= min && value <= 65_535) return value;
    throw say(`${message} ${where}`, which, `The ${which} is a number from ${min} to 65535.`);
  };
  const port = number('port', 1, 'invalid DNS SRV port attribute');
  const priority = number('priority', 0, 'Invalid DNS SRV priority attribute');
  const weight = number('weight', 0, 'invalid DNS SRV weight attribute');
  return {
    service: service ?? '',
    protocol: protocol ?? '',
    ...(domain !== undefined && { domain }),
    ...(target !== undefined && { target }),
    ...(port !== undefined && { port }),
    // Zero is as if nothing were written.
    ...(priority !== undefined && priority !== 0 && { priority }),
    ...(weight !== undefined && weight !== 0 && { weight }),
  };
}

/** Warns of what libvirt drops. */
export function dnsDrops(root: XmlElement): readonly { readonly at: XmlElement; readonly message: string }[] {
  const domain = childOf(root, 'domain');
  const dns = childOf(root, 'dns');
  const portOnly =
    dns === undefined
      ? undefined
      : childrenOf(dns, 'forwarder').find(
          (one) => attribute(one, 'port') !== undefined && attribute(one, 'addr') === undefined,
        );
  return [
    ...(domain !== undefined && !word(domain, 'name')
      ? [{ at: domain, message: 'a domain without a name has no effect' }]
      : []),
    ...(portOnly === undefined
      ? []
      : [{ at: portOnly, message: 'the port of a forwarder without addr has no effect' }]),
  ];
}
