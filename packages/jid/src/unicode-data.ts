/**
 * Unicode 17 properties that JavaScript's `\p{…}` escapes do not offer, as the insides of character classes.
 * Only what JID preparation asks about: right-to-left classes (RFC 5893), joining types and viramas (RFC 5892,
 * appendix A). Everything else comes from the engine's own Unicode tables, so a newer engine needs no change
 * here until a new right-to-left or joining script is added; unlisted code points count as left-to-right and
 * non-joining, which only makes the rules stricter about ZERO WIDTH NON-JOINER.
 */

/** Bidi_Class R: Hebrew, N’Ko, Adlam and the other right-to-left scripts but Arabic and its kin. */
export const BIDI_R =
  '\\u{5be}\\u{5c0}\\u{5c3}\\u{5c6}\\u{5d0}-\\u{5ea}\\u{5ef}-\\u{5f4}\\u{7c0}-\\u{7ea}\\u{7f4}\\u{7f5}\\u{7fa}\\u{7fe}-\\u{815}\\u{81a}' +
  '\\u{824}\\u{828}\\u{830}-\\u{83e}\\u{840}-\\u{858}\\u{85e}\\u{200f}\\u{fb1d}\\u{fb1f}-\\u{fb28}\\u{fb2a}-\\u{fb36}\\u{fb38}-\\u{fb3c}' +
  '\\u{fb3e}\\u{fb40}\\u{fb41}\\u{fb43}\\u{fb44}\\u{fb46}-\\u{fb4f}\\u{10800}-\\u{10805}\\u{10808}\\u{1080a}-\\u{10835}\\u{10837}' +
  '\\u{10838}\\u{1083c}\\u{1083f}-\\u{10855}\\u{10857}-\\u{1089e}\\u{108a7}-\\u{108af}\\u{108e0}-\\u{108f2}\\u{108f4}\\u{108f5}' +
  '\\u{108fb}-\\u{1091b}\\u{10920}-\\u{10939}\\u{1093f}-\\u{10959}\\u{10980}-\\u{109b7}\\u{109bc}-\\u{109cf}\\u{109d2}-\\u{10a00}' +
  '\\u{10a10}-\\u{10a13}\\u{10a15}-\\u{10a17}\\u{10a19}-\\u{10a35}\\u{10a40}-\\u{10a48}\\u{10a50}-\\u{10a58}\\u{10a60}-\\u{10a9f}' +
  '\\u{10ac0}-\\u{10ae4}\\u{10aeb}-\\u{10af6}\\u{10b00}-\\u{10b35}\\u{10b40}-\\u{10b55}\\u{10b58}-\\u{10b72}\\u{10b78}-\\u{10b91}' +
  '\\u{10b99}-\\u{10b9c}\\u{10ba9}-\\u{10baf}\\u{10c00}-\\u{10c48}\\u{10c80}-\\u{10cb2}\\u{10cc0}-\\u{10cf2}\\u{10cfa}-\\u{10cff}' +
  '\\u{10d4a}-\\u{10d65}\\u{10d6f}-\\u{10d85}\\u{10d8e}\\u{10d8f}\\u{10e80}-\\u{10ea9}\\u{10ead}\\u{10eb0}\\u{10eb1}' +
  '\\u{10f00}-\\u{10f27}\\u{10f70}-\\u{10f81}\\u{10f86}-\\u{10f89}\\u{10fb0}-\\u{10fcb}\\u{10fe0}-\\u{10ff6}\\u{1e800}-\\u{1e8c4}' +
  '\\u{1e8c7}-\\u{1e8cf}\\u{1e900}-\\u{1e943}\\u{1e94b}\\u{1e950}-\\u{1e959}\\u{1e95e}\\u{1e95f}'

/** Bidi_Class AL: Arabic, Syriac, Thaana and their kin. */
export const BIDI_AL =
  '\\u{608}\\u{60b}\\u{60d}\\u{61b}-\\u{64a}\\u{66d}-\\u{66f}\\u{671}-\\u{6d5}\\u{6e5}\\u{6e6}\\u{6ee}\\u{6ef}\\u{6fa}-\\u{70d}\\u{70f}' +
  '\\u{710}\\u{712}-\\u{72f}\\u{74d}-\\u{7a5}\\u{7b1}\\u{860}-\\u{86a}\\u{870}-\\u{88f}\\u{8a0}-\\u{8c9}\\u{fb50}-\\u{fbc2}' +
  '\\u{fbd3}-\\u{fd3d}\\u{fd50}-\\u{fd8f}\\u{fd92}-\\u{fdc7}\\u{fdf0}-\\u{fdfc}\\u{fe70}-\\u{fe74}\\u{fe76}-\\u{fefc}' +
  '\\u{10d00}-\\u{10d23}\\u{10ec2}-\\u{10ec7}\\u{10f30}-\\u{10f45}\\u{10f51}-\\u{10f59}\\u{1ec71}-\\u{1ecb4}\\u{1ed01}-\\u{1ed3d}' +
  '\\u{1ee00}-\\u{1ee03}\\u{1ee05}-\\u{1ee1f}\\u{1ee21}\\u{1ee22}\\u{1ee24}\\u{1ee27}\\u{1ee29}-\\u{1ee32}\\u{1ee34}-\\u{1ee37}' +
  '\\u{1ee39}\\u{1ee3b}\\u{1ee42}\\u{1ee47}\\u{1ee49}\\u{1ee4b}\\u{1ee4d}-\\u{1ee4f}\\u{1ee51}\\u{1ee52}\\u{1ee54}\\u{1ee57}\\u{1ee59}' +
  '\\u{1ee5b}\\u{1ee5d}\\u{1ee5f}\\u{1ee61}\\u{1ee62}\\u{1ee64}\\u{1ee67}-\\u{1ee6a}\\u{1ee6c}-\\u{1ee72}\\u{1ee74}-\\u{1ee77}' +
  '\\u{1ee79}-\\u{1ee7c}\\u{1ee7e}\\u{1ee80}-\\u{1ee89}\\u{1ee8b}-\\u{1ee9b}\\u{1eea1}-\\u{1eea3}\\u{1eea5}-\\u{1eea9}' +
  '\\u{1eeab}-\\u{1eebb}'

/** Bidi_Class AN: Arabic-Indic digits and number signs. */
export const BIDI_AN =
  '\\u{600}-\\u{605}\\u{660}-\\u{669}\\u{66b}\\u{66c}\\u{6dd}\\u{890}\\u{891}\\u{8e2}\\u{10d30}-\\u{10d39}\\u{10d40}-\\u{10d49}' +
  '\\u{10e60}-\\u{10e7e}'

/** Bidi_Class EN among the code points of the PRECIS IdentifierClass. */
export const BIDI_EN_ID =
  '\\u{30}-\\u{39}\\u{6f0}-\\u{6f9}\\u{ff10}-\\u{ff19}\\u{1ccf0}-\\u{1ccf9}\\u{1d7ce}-\\u{1d7ff}\\u{1fbf0}-\\u{1fbf9}'

/** Joining_Type Dual_Joining. */
export const JOINING_D =
  '\\u{620}\\u{626}\\u{628}\\u{62a}-\\u{62e}\\u{633}-\\u{63f}\\u{641}-\\u{647}\\u{649}\\u{64a}\\u{66e}\\u{66f}\\u{678}-\\u{687}' +
  '\\u{69a}-\\u{6bf}\\u{6c1}\\u{6c2}\\u{6cc}\\u{6ce}\\u{6d0}\\u{6d1}\\u{6fa}-\\u{6fc}\\u{6ff}\\u{712}-\\u{714}\\u{71a}-\\u{71d}' +
  '\\u{71f}-\\u{727}\\u{729}\\u{72b}\\u{72d}\\u{72e}\\u{74e}-\\u{758}\\u{75c}-\\u{76a}\\u{76d}-\\u{770}\\u{772}\\u{775}-\\u{777}' +
  '\\u{77a}-\\u{77f}\\u{7ca}-\\u{7ea}\\u{841}-\\u{845}\\u{848}\\u{84a}-\\u{853}\\u{855}\\u{860}\\u{862}-\\u{865}\\u{868}\\u{886}' +
  '\\u{889}-\\u{88d}\\u{88f}\\u{8a0}-\\u{8a9}\\u{8af}\\u{8b0}\\u{8b3}-\\u{8b8}\\u{8ba}-\\u{8c8}\\u{1807}\\u{1820}-\\u{1878}' +
  '\\u{1887}-\\u{18a8}\\u{18aa}\\u{a840}-\\u{a871}\\u{10ac0}-\\u{10ac4}\\u{10ad3}-\\u{10ad6}\\u{10ad8}-\\u{10adc}\\u{10ade}-\\u{10ae0}' +
  '\\u{10aeb}-\\u{10aee}\\u{10b80}\\u{10b82}\\u{10b86}-\\u{10b88}\\u{10b8a}\\u{10b8b}\\u{10b8d}\\u{10b90}\\u{10bad}\\u{10bae}' +
  '\\u{10d01}-\\u{10d21}\\u{10d23}\\u{10ec3}\\u{10ec4}\\u{10ec6}\\u{10ec7}\\u{10f30}-\\u{10f32}\\u{10f34}-\\u{10f44}' +
  '\\u{10f51}-\\u{10f53}\\u{10f70}-\\u{10f73}\\u{10f76}-\\u{10f81}\\u{10fb0}\\u{10fb2}\\u{10fb3}\\u{10fb8}\\u{10fbb}\\u{10fbc}\\u{10fbe}' +
  '\\u{10fbf}\\u{10fc1}\\u{10fc4}\\u{10fca}\\u{1e900}-\\u{1e943}'

/** Joining_Type Left_Joining. */
export const JOINING_L =
  '\\u{a872}\\u{10acd}\\u{10ad7}\\u{10d00}\\u{10fcb}'

/** Joining_Type Right_Joining. */
export const JOINING_R =
  '\\u{622}-\\u{625}\\u{627}\\u{629}\\u{62f}-\\u{632}\\u{648}\\u{671}-\\u{673}\\u{675}-\\u{677}\\u{688}-\\u{699}\\u{6c0}\\u{6c3}-\\u{6cb}' +
  '\\u{6cd}\\u{6cf}\\u{6d2}\\u{6d3}\\u{6d5}\\u{6ee}\\u{6ef}\\u{710}\\u{715}-\\u{719}\\u{71e}\\u{728}\\u{72a}\\u{72c}\\u{72f}\\u{74d}' +
  '\\u{759}-\\u{75b}\\u{76b}\\u{76c}\\u{771}\\u{773}\\u{774}\\u{778}\\u{779}\\u{840}\\u{846}\\u{847}\\u{849}\\u{854}\\u{856}-\\u{858}' +
  '\\u{867}\\u{869}\\u{86a}\\u{870}-\\u{882}\\u{88e}\\u{8aa}-\\u{8ac}\\u{8ae}\\u{8b1}\\u{8b2}\\u{8b9}\\u{10ac5}\\u{10ac7}\\u{10ac9}' +
  '\\u{10aca}\\u{10ace}-\\u{10ad2}\\u{10add}\\u{10ae1}\\u{10ae4}\\u{10aef}\\u{10b81}\\u{10b83}-\\u{10b85}\\u{10b89}\\u{10b8c}\\u{10b8e}' +
  '\\u{10b8f}\\u{10b91}\\u{10ba9}-\\u{10bac}\\u{10d22}\\u{10ec2}\\u{10f33}\\u{10f54}\\u{10f74}\\u{10f75}\\u{10fb4}-\\u{10fb6}\\u{10fb9}' +
  '\\u{10fba}\\u{10fbd}\\u{10fc2}\\u{10fc3}\\u{10fc9}'

/** Canonical_Combining_Class 9 (Virama). */
export const VIRAMA =
  '\\u{94d}\\u{9cd}\\u{a4d}\\u{acd}\\u{b4d}\\u{bcd}\\u{c4d}\\u{ccd}\\u{d3b}\\u{d3c}\\u{d4d}\\u{dca}\\u{e3a}\\u{eba}\\u{f84}\\u{1039}' +
  '\\u{103a}\\u{1714}\\u{1715}\\u{1734}\\u{17d2}\\u{1a60}\\u{1b44}\\u{1baa}\\u{1bab}\\u{1bf2}\\u{1bf3}\\u{2d7f}\\u{a806}\\u{a82c}\\u{a8c4}' +
  '\\u{a953}\\u{a9c0}\\u{aaf6}\\u{abed}\\u{10a3f}\\u{11046}\\u{11070}\\u{1107f}\\u{110b9}\\u{11133}\\u{11134}\\u{111c0}\\u{11235}' +
  '\\u{112ea}\\u{1134d}\\u{113ce}-\\u{113d0}\\u{11442}\\u{114c2}\\u{115bf}\\u{1163f}\\u{116b6}\\u{1172b}\\u{11839}\\u{1193d}\\u{1193e}' +
  '\\u{119e0}\\u{11a34}\\u{11a47}\\u{11a99}\\u{11c3f}\\u{11d44}\\u{11d45}\\u{11d97}\\u{11f41}\\u{11f42}\\u{1612f}'
