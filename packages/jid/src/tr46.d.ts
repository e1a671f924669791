// The two functions of tr46 this package calls; the package ships no types of its own.
declare module 'tr46' {
  interface Options {
    checkHyphens?: boolean
    checkBidi?: boolean
    checkJoiners?: boolean
    useSTD3ASCIIRules?: boolean
    transitionalProcessing?: boolean
    ignoreInvalidPunycode?: boolean
  }
  const tr46: {
    toUnicode(domain: string, options?: Options): { domain: string, error: boolean }
    toASCII(domain: string, options?: Options & { verifyDNSLength?: boolean }): string | null
  }
  export default tr46
}
