/**
 * node:http without its WebSocket client. A plain `import` reads every export, and with them the getters that load
 * undici: 30 ms and some megabytes in every process. Types may be imported from 'node:http' as ever.
 */
export const { createServer, request } = process.getBuiltinModule('node:http');
