/** On which interface dnsmasq serves. */
import { type ConfLines, setting } from './setting.ts';

/**
 * One interface and no other. With `bind-dynamic` dnsmasq waits for an interface or an address that is not there yet, and goes on
 * after an interface was made anew.
 * @param device a name that `isDnsmasqName` accepts
 */
export function interfacePart(device: string): ConfLines {
  return ['bind-dynamic', setting`interface=${device}`, 'except-interface=lo'];
}
