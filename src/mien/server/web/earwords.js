// @ts-check
/** The sentences about the microphone; the others are in words.js. */

/** @type {Record<string, [en: string, zh: string]>} */
export const EAR_WORDS = {
  mic: ["Speak", "语音"],
  mic_opening: ["One moment…", "请稍候…"],
  mic_on: ["Listening", "聆听中"],
  mic_speaking: ["Hearing you", "听到了"],
  mic_muted: ["Muted", "已静音"],
  mic_silenced: ["Muted by the system", "系统已静音"],
  mic_down: ["Reconnecting…", "正在重连…"],
  mic_hold: ["Hold to talk", "按住说话"],
  mic_talking: ["Talking", "正在说话"],
  mic_wake: ["Say “{word}”", "说“{word}”"],
  mic_paused: ["Paused", "已暂停"],
  mic_label_off: ["Speak with the microphone", "用麦克风说话"],
  mic_label_live: ["Mute the microphone", "麦克风静音"],
  mic_label_muted: ["Unmute the microphone", "取消麦克风静音"],
  mic_label_hold: ["Hold to talk, or hold the space bar", "按住说话，也可以按住空格键"],
  mic_label_half: ["Turn the microphone off", "关闭麦克风"],
  placeholder_listening: ["Speak now…", "请说话…"],
  placeholder_hold: ["Hold the button or space bar…", "按住按钮或空格键说话…"],
  placeholder_wake: ["Say “{word}”, then speak…", "先说“{word}”，再说话…"],
  held: ["Letting you speak", "您请讲"],

  ears: ["Microphone", "麦克风"],
  ears_settings: ["Microphone settings", "麦克风设置"],
  ears_mode: ["How to talk", "说话方式"],
  mode_hands_free: ["Hands-free", "自由对话"],
  mode_hands_free_text: ["Just speak. You can talk over the presenter.", "直接说话，随时可以打断数字人。"],
  mode_push_to_talk: ["Push to talk", "按键说话"],
  mode_push_to_talk_text: ["Hold the microphone button or the space bar.", "按住麦克风按钮或空格键。"],
  mode_wake_word: ["Wake word", "唤醒词"],
  mode_wake_word_text: ["Say “{word}” before you speak.", "先说“{word}”，再说话。"],
  mode_missing: ["Not available here: {why}", "目前不可用：{why}"],
  ears_device: ["Microphone", "麦克风"],
  ears_device_default: ["The system's own choice", "系统默认"],
  ears_device_nth: ["Microphone {n}", "麦克风 {n}"],
  ears_engine: ["What hears you", "由谁识别"],
  ears_auto: ["Automatic", "自动选择"],
  ears_auto_is: ["Automatic: {label}", "自动选择：{label}"],
  ears_now: ["{label} hears you.", "正在由 {label} 识别。"],
  ears_changed: ["{label} hears you now. {why}", "改由 {label} 识别。{why}"],
  ears_nobody: ["Nothing here can turn speech into text. {why}. Please type.", "目前无法识别语音：{why}。请打字。"],
  ears_absent: ["not available", "不可用"],
  ears_off: ["Turn the microphone off", "关闭麦克风"],
  ears_on: ["Turn the microphone on", "打开麦克风"],
  ears_limit_browser: [
    "Your browser sends what you say to its maker (Google, Microsoft or Apple) and gets the words back.",
    "浏览器会把您的语音发送给其厂商（谷歌、微软或苹果）转成文字。",
  ],
  ears_limit_alone: [
    "On Android the browser keeps the microphone to itself: it pauses while the presenter speaks. Stop interrupts.",
    "在 Android 上麦克风由浏览器独占：数字人说话时暂停聆听，可按“停止”打断。",
  ],

  mic_insecure: [
    "Browsers allow the microphone only on https:// pages or on localhost. Open this page by https (see “HTTPS” in the documentation), on the server's own machine as {local}, or type.",
    "浏览器只允许在 https:// 或 localhost 页面使用麦克风。请通过 https 打开本页（见文档中的“HTTPS”），在服务器本机上用 {local} 打开，或直接打字。",
  ],
  mic_unsupported: [
    "This browser gives pages no microphone. Please type, or use a current Chrome, Edge, Firefox or Safari.",
    "此浏览器不支持在网页中使用麦克风。请打字，或改用新版 Chrome、Edge、Firefox 或 Safari。",
  ],
  mic_policy: [
    "This page may not use the microphone: it is shown within another page, or its server forbids it (Permissions-Policy). Open it in a tab of its own, or type.",
    "本页不允许使用麦克风：可能嵌入在其他网页中，或被服务器禁止（Permissions-Policy）。请在单独的标签页打开，或直接打字。",
  ],
  mic_denied_chrome: [
    "The microphone is blocked for this page. Click the icon left of the address, allow “Microphone”, and press the button again; or type.",
    "麦克风权限被拒绝。请点击地址栏左侧的图标，允许“麦克风”，然后再按一次按钮；也可以直接打字。",
  ],
  mic_denied_firefox: [
    "The microphone is blocked for this page. Click the crossed-out microphone in the address bar, remove the block, and press the button again; or type.",
    "麦克风权限被拒绝。请点击地址栏中带斜线的麦克风图标，清除阻止，然后再按一次按钮；也可以直接打字。",
  ],
  mic_denied_safari: [
    "The microphone is blocked for this page. Choose Safari → Settings for This Website → Microphone → Allow, and press the button again; or type.",
    "麦克风权限被拒绝。请在 Safari 菜单 → 此网站的设置 → 麦克风中选“允许”，然后再按一次按钮；也可以直接打字。",
  ],
  mic_denied_ios: [
    "The microphone is blocked for this page. Tap the button at the side of the address, then Website Settings → Microphone → Allow, and press the button again; or type.",
    "麦克风权限被拒绝。请点地址栏旁的按钮 → 网站设置 → 麦克风 → 允许，然后再按一次按钮；也可以直接打字。",
  ],
  mic_denied_android: [
    "The microphone is blocked for this page. Tap the icon left of the address, then Permissions → Microphone → Allow, and press the button again; or type.",
    "麦克风权限被拒绝。请点地址栏左侧的图标 → 权限 → 麦克风 → 允许，然后再按一次按钮；也可以直接打字。",
  ],
  mic_denied_wechat: [
    "WeChat does not give this page the microphone. Open it in a browser (⋯ → Open in browser), or type.",
    "微信没有给本页麦克风权限。请点右上角 ⋯ 在浏览器中打开，或直接打字。",
  ],
  mic_denied_system: [
    "The system does not let the browser use the microphone. Allow it in the system's settings under Privacy → Microphone, then reload; or type.",
    "系统不允许浏览器使用麦克风。请在系统设置的“隐私 → 麦克风”中允许浏览器，然后刷新本页；也可以直接打字。",
  ],
  mic_dismissed: [
    "The question about the microphone was closed. Press the button again and choose “Allow”, or type.",
    "麦克风授权提示已关闭。请再按一次按钮并选择“允许”，或直接打字。",
  ],
  mic_missing: ["No microphone was found. Please plug one in, or type.", "没有找到麦克风。请接入麦克风，或直接打字。"],
  mic_in_use: [
    "Another programme is using the microphone, or it does not answer. Close that programme (a call, a recorder) or unplug the microphone and plug it in again; or type.",
    "麦克风被其他程序占用或没有响应。请关闭占用它的程序（如通话、录音）或重新插拔麦克风；也可以直接打字。",
  ],
  mic_failed: ["The microphone could not be opened ({name}). Please try again, or type.", "无法打开麦克风（{name}）。请重试，或直接打字。"],
  mic_unplugged: ["The microphone is gone, so it was turned off.", "麦克风已断开，因此已关闭。"],
  mic_other: ["“{name}” is used now, because the other microphone is gone.", "原来的麦克风已断开，改用“{name}”。"],
  mic_taken: [
    "Another tab or device speaks for this conversation now, so this microphone was turned off.",
    "另一个标签页或设备正在使用本对话的麦克风，这里的麦克风已关闭。",
  ],
  mic_line: [
    "What you say does not reach the server. It is being tried again; you can type meanwhile.",
    "语音暂时无法传到服务器，正在重试；期间可以打字。",
  ],
  mic_silent: ["Nothing was heard for a while, so the microphone was turned off.", "一段时间没有听到声音，麦克风已关闭。"],

  speech_firefox: [
    "Firefox has no speech recognition of its own.",
    "Firefox 没有自带的语音识别。",
  ],
  speech_unsupported: [
    "This browser has no speech recognition of its own.",
    "此浏览器没有自带的语音识别。",
  ],
  speech_service: ["Speech recognition is switched off in this browser.", "此浏览器停用了语音识别服务。"],
  speech_network: [
    "The browser's speech service cannot be reached: Chromium and Brave have none, and Chrome's is blocked on networks in mainland China (Edge's usually works).",
    "无法连接浏览器的语音识别服务：Chromium、Brave 不带此服务，Chrome 的服务在中国大陆网络下不可用（Edge 通常可用）。",
  ],
  speech_language: [
    "This browser does not recognise speech in this language.",
    "此浏览器不能识别该语言的语音。",
  ],
};
