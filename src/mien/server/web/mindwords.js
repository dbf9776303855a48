// @ts-check
/** The sentences about who the presenter is, what an answer rests on and what is remembered. */

/** @type {Record<string, [en: string, zh: string]>} */
export const MIND_WORDS = {
  ai_made: ["AI-generated · AI 生成", "AI 生成 · AI-generated"],

  sources: ["Sources of this answer", "回答的来源"],
  source_untitled: ["Untitled", "无标题"],
  tool_failed: ["{what}: did not work", "{what}：未成功"],

  persona: ["Who it is", "人设"],
  persona_text: [
    "Another one has a manner, a face and a voice of its own, and has not heard what was said so far.",
    "不同的人设有各自的风格、形象和声音；换人后，新的人设不知道之前聊过什么。",
  ],
  persona_coming: ["Coming…", "切换中…"],

  memory: ["Memory", "记忆"],
  memory_on: ["on", "已开启"],
  memory_off: ["off", "未开启"],
  memory_remember: ["Remember me", "记住我"],
  memory_explained: [
    "While this is on, what you say here, and what it tells the presenter about you, is kept on this server for your next visit. Only this browser holds the key to it.",
    "开启后，您在这里说的话以及其中关于您的信息会保存在这台服务器上，供下次来访使用；只有这个浏览器持有对应的密钥。",
  ],
  memory_off_note: [
    "Off: nothing new is kept. What was kept before stays until you erase it.",
    "已关闭：不再保存新的内容；之前保存的仍在，直到您清除。",
  ],
  memory_facts: ["What it remembers of you", "它记住的关于您的事"],
  memory_no_facts: ["Nothing yet. Tell it something about yourself.", "还没有。可以跟它聊聊您自己。"],
  memory_export: ["Download everything", "下载全部"],
  memory_erase: ["Erase everything", "清除全部"],
  memory_erase_ask: ["Really erase everything?", "确定全部清除？"],
  memory_erased: ["Everything was erased.", "已全部清除。"],
  memory_forget: ["Forget: {what}", "忘记：{what}"],
};
