/** What of the configuration is for one of several workers: ports are shared, limits of the whole are divided. */
import type { ServerConfig } from '../config/index.ts'
import type { BoundListener } from '../edge/listeners.ts'

/**
 * A worker's configuration. The kernel spreads connections of one address over the workers at random: so that somebody who
 * stays within a limit is hardly ever refused, each allows its part and three standard deviations. All connections together
 * are so many that their part is enough.
 */
export function configOfWorker(config: ServerConfig, count: number, bound: readonly BoundListener[]): ServerConfig {
  const { limits } = config.edge
  return {
    ...config,
    edge: {
      ...config.edge,
      listeners: config.edge.listeners.map((listener, i) => ({ ...listener, port: bound[i]?.port ?? listener.port, isShared: true })),
      limits: {
        ...limits,
        connectionsMax: Math.ceil(limits.connectionsMax / count),
        connectionsPerAddressMax: shareOf(limits.connectionsPerAddressMax, count),
        connectsPerMinuteMax: shareOf(limits.connectsPerMinuteMax, count),
      },
    },
    pressure: {
      ...config.pressure,
      // Of a limit that nobody set, everybody knows the whole and may use a part.
      memoryBytesMax: Math.floor(config.pressure.memoryBytesMax / count),
      memoryBrownOutPercent: percentOf(config.pressure.memoryBrownOutPercent, config, count),
      memoryRefusePercent: percentOf(config.pressure.memoryRefusePercent, config, count),
    },
  }
}

function percentOf(percent: number, { pressure }: ServerConfig, count: number): number {
  return pressure.memoryBytesMax > 0 ? percent : percent / count
}

/** One part of `limit` when so many are filled at random. */
export function shareOf(limit: number, count: number): number {
  const part = limit / count
  return Math.min(limit, Math.ceil(part + 3 * Math.sqrt(part)))
}
