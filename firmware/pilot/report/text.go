package report

import (
	"fmt"

	"mien/firmware/pilot/tune"
)

// Languages that a report can be in.
var Languages = []string{"en", "ja"}

// texts has each text of the page once for each language, in the order of Languages.
var texts = map[string][2]string{
	"title":        {"Pilot report", "試行報告書"},
	"unit":         {"Unit", "装置"},
	"pilot":        {"Pilot", "試行"},
	"purpose":      {"What it was for, as told when it was begun", "開始時に示された目的"},
	"from_to":      {"Recorded from, to", "記録期間"},
	"version":      {"mien version", "mien のバージョン"},
	"networks":     {"Networks (SHA-256)", "ネットワーク (SHA-256)"},
	"emotions":     {"Emotions are recorded: unit.purpose is set.", "感情の推定を記録しています（unit.purpose あり）。"},
	"no_emotions":  {"No emotion is recorded.", "感情の推定は記録していません。"},
	"told":         {"No picture and no name is in the recordings. That it was recorded was told to the people at this place by (who, how, when):", "記録に画像と氏名は含まれません。記録することを、この場所の作業者に告知した人・方法・日付："},
	"replayed":     {"Computed again from the recordings, the same alarm events came out.", "記録から再計算した警報は、実際の警報と一致しました。"},
	"differs":      {"events that were computed again are not as the unit told them: do not rely on this report before it is known why.", "件の警報が再計算と一致しません。理由が分かるまで、この報告書に頼らないでください。"},
	"damage":       {"Could not be read", "読めなかった記録"},
	"hours":        {"Hours", "時間"},
	"sessions":     {"Sessions (shifts)", "セッション（勤務）"},
	"session":      {"Session", "セッション"},
	"marks":        {"Marks", "マーク"},
	"drills":       {"Drills gone through", "完了したドリル"},
	"broken":       {"broken off, do not count", "中断（数えない）"},
	"coverage":     {"How much could be read", "読み取れた割合"},
	"coverage_is":  {"Share of the time with pictures in which a face could be read. While it could not, no alarm can come.", "画像がある時間のうち、顔を読み取れた割合。読み取れない間は警報は出ません。"},
	"read":         {"read", "読み取り可"},
	"share":        {"share", "割合"},
	"why_not":      {"Why there was no reading", "読み取れない理由"},
	"reason_none":  {"a face could be read", "読み取り可"},
	"alarms":       {"Alarms", "警報"},
	"alarm":        {"Alarm", "警報"},
	"raised":       {"came", "発生"},
	"right":        {"marked right", "正しい"},
	"false":        {"marked false", "誤り"},
	"unmarked":     {"without a mark", "マークなし"},
	"missed_marks": {"marked as missed", "見逃し（マーク）"},
	"unmarked_is":  {"Alarms without a mark count for nothing below: nobody said whether they were right.", "マークのない警報は以下で数えません。正しかったか誰も示していないためです。"},
	"no_alarm":     {"The config of the recording has no alarm.", "記録時の設定に警報がありません。"},
	"timeline":     {"When alarms came", "警報の時刻"},
	"cost_curve":   {"Cost a shift by limit", "しきい値ごとの1勤務あたりの費用"},
	"cost_is":      {"Expected cost of false alarms and missed events a shift, at the best other settings of each limit. Coloured: 95 % interval.", "しきい値ごとに、他の設定を最良にしたときの、誤警報と見逃しの1勤務あたりの期待費用。色の帯は95%区間。"},
	"limit":        {"limit", "しきい値"},
	"deadband":     {"deadband", "不感帯"},
	"on_delay":     {"on-delay", "オンディレー"},
	"off_delay":    {"off-delay", "オフディレー"},
	"false_shift":  {"false alarms a shift", "誤警報／勤務"},
	"missed_share": {"missed", "見逃し"},
	"cost_shift":   {"cost a shift", "費用／勤務"},
	"in_force":     {"in force", "現在"},
	"found":        {"recommended", "推奨"},
	"scored":       {"In brackets: 95 % interval. What is recommended is scored on sessions that it was not chosen on.", "括弧内は95%区間。推奨値は、選ぶのに使わなかったセッションで評価しています。"},
	"not_enough":   {"No limit is recommended. It needs", "推奨できません。必要なもの"},
	"several":      {"has several conditions: marks cannot tell which of them was right, so that no limit is looked for", "は複数の条件を持つため、どの条件が正しかったか分からず、しきい値は求めません"},
	"no_truth":     {"Nothing is known of what was so: no mark, no drill.", "正解の情報がありません（マークもドリルもなし）。"},
	"groups":       {"Who and what it treats alike", "グループごとの比較"},
	"by_shift":     {"By shift (beginning)", "勤務（開始時刻）ごと"},
	"by_light":     {"By light (mean luma of the picture, quarters of the time)", "明るさごと（画像の平均輝度、時間の四分位）"},
	"by_cover":     {"By what is covered", "覆われた部分ごと"},
	"by_tag":       {"By group (pilot.tag of the config)", "グループごと（設定の pilot.tag）"},
	"tag_none":     {"no tag", "タグなし"},
	"cover_none":   {"nothing", "なし"},
	"cover_eyes":   {"eyes", "目"},
	"cover_mouth":  {"mouth", "口"},
	"cover_both":   {"eyes and mouth", "目と口"},
	"per_hour":     {"false alarms an hour", "誤警報／時間"},
	"warning":      {"Warning: the groups differ by more than chance (p =", "警告：グループ間の差は偶然を超えています (p ="},
	"groups_are":   {"Groups are never persons. A difference says that limits are not equally right: look at light, mounting and people before it goes on.", "グループは個人ではありません。差がある場合は、続ける前に照明・設置・対象者を確認してください。"},
	"year":         {"Cost and benefit a year", "年間の費用と便益"},
	"year_is":      {"From the figures that were given, and the recommended settings.", "入力された数値と推奨設定から。"},
	"without":      {"Cost of the events without the unit", "装置がない場合の費用"},
	"with":         {"Cost of false alarms and missed events with it", "装置がある場合の費用（誤警報と見逃し）"},
	"own":          {"The unit itself", "装置の費用"},
	"benefit":      {"Benefit a year", "年間の便益"},
	"no_year":      {"Not computed:", "計算していません："},
	"year_shifts":  {"nobody has said how many shifts a year has. Make the report again with -shifts-per-year, such as 660.", "1年の勤務数が指定されていません。-shifts-per-year（例：660）を付けて、報告書を作り直してください。"},
	"year_needs":   {"no limit is recommended yet. What it needs is said above, at the alarm.", "推奨できるしきい値がまだありません。必要なものは、上の警報の欄にあります。"},
	"year_truth":   {"nothing is known of what was so. Mark alarms (mien mark), or make drills (mien pilot drill), and make the report again.", "正解の情報がありません。警報にマークを付けるか（mien mark）、ドリルを行い（mien pilot drill）、報告書を作り直してください。"},
	"left_out":     {"Marks that count for nothing", "数えないマーク"},
	"left_out_is":  {"Somebody pressed, and it tells of no signal, or of no time that was recorded. What is not known is not counted.", "マークは付けられましたが、どの信号または記録された時刻のことか分かりません。分からないものは数えません。"},
	"left_time":    {"given", "付けた時刻"},
	"left_what":    {"mark", "マーク"},
	"left_why":     {"why it counts for nothing", "数えない理由"},
	"why_unnamed":  {"several alarms could have come, and it does not say which: mien mark missed \"ALARM\", or a button (input) for each alarm", "出るべき警報が複数あり、どれか示されていません：mien mark missed \"警報\"、または警報ごとの押しボタン（入力）"},
	"why_several":  {"its alarm has several conditions, and a mark does not say which of them was so", "警報が複数の条件を持ち、どの条件のことか分かりません"},
	"why_opposite": {"another mark says the opposite of the same time", "同じ時刻について、反対のマークがあります"},
	"mark_right":   {"right", "正しい"},
	"mark_false":   {"false", "誤り"},
	"mark_missed":  {"missed", "見逃し"},
	"rules":        {"Operating rules", "運用規則"},
	"rule_who":     {"Who acknowledges an alarm", "警報を確認する人"},
	"rule_within":  {"Within what time", "確認までの時間"},
	"rule_else":    {"What happens when nobody does", "確認されない場合の対応"},
	"rule_person":  {"What happens to the person: a person looks first. Nothing follows from an alarm alone.", "本人への対応：まず人が確認します。警報だけを理由に不利益な扱いをしません。"},
	"rule_again":   {"When limits are looked at again", "しきい値を見直す時期"},
	"rule_off":     {"Who may switch it off, and how", "停止できる人と方法"},
	"signatures":   {"Signatures", "署名"},
	"role_safety":  {"Safety engineer", "安全技術者"},
	"role_line":    {"Head of the line", "ライン責任者"},
	"role_people":  {"Works council or workers' representative", "労働組合・従業員代表"},
	"role_data":    {"Data protection", "個人情報保護担当"},
	"name_date":    {"Name, date, signature", "氏名・日付・署名"},
	"more":         {"and %d more", "ほか %d 件"},
	"why_elsewhen": {"what it is about was not recorded", "対象の時刻が記録されていません"},
	"dropped":      {"Records without room", "容量不足で失われた記録"},
	"given":        {"Figures that were given", "入力された数値"},
	"given_are":    {"All costs, limits and intervals below follow from these. They are not measured: who signs, signs for them too.", "以下の費用・しきい値・区間は、これらの数値によります。測定値ではなく、署名する方が確認するものです。"},
	"cost_false":   {"One false alarm costs", "誤警報1件の費用"},
	"cost_missed":  {"One missed event costs", "見逃し1件の費用"},
	"most_false":   {"False alarms a shift that are allowed, 95 % certain", "許容する誤警報／勤務（95%の確かさ）"},
	"shift_is":     {"A shift: how long, and when the first of a day begins", "1勤務の長さ、1日の最初の勤務の開始時刻"},
	"allow_is":     {"How far an alarm may be from its mark", "警報とマークの許容時間差"},
	"events_given": {"True events a shift, as given", "1勤務あたりの事象の数（指定）"},
	"shifts_year":  {"Shifts a year", "年間の勤務数"},
	"own_year":     {"The unit itself, a year", "装置の年間費用"},
	"made":         {"Report made", "報告書の作成日時"},
	"changed":      {"Alarms were set otherwise while it was recorded. What came before and after is counted together; in force are the newest settings", "記録中に警報の設定が変わりました。変更の前後を合わせて数えています。「現在」は最新の設定です"},
	"no_safety":    {"mien is a monitoring aid. It is no safety function, and no judgement of a person.", "mien は監視の補助です。安全機能ではなく、人を評価するものでもありません。"},
	"now":          {"now", "現在"},
	"best":         {"found", "推奨"},
}

// reasonsJa are why there was no reading, in Japanese. What is not here, such as a
// fault, is told in English: by its name it is found in docs/faults.md.
var reasonsJa = map[string]string{
	"no face in view": "顔が見えない", "not clearly a face": "顔かどうか不明", "face cut off by the picture's edge": "顔が画像の端で切れている",
	"face too small": "顔が小さすぎる", "head leans to one side": "頭が傾いている", "face turned away": "横を向いている", "face looks up or down": "上または下を向いている",
	"face too dark": "暗すぎる", "face too bright": "明るすぎる", "too little contrast on the face": "コントラスト不足", "face out of focus or moving fast": "ピントが合わない、または動きが速い",
}

// sentencesJa are what the search for limits says, in Japanese, with the values of the
// English sentence by their place.
var sentencesJa = [tune.Sentences]string{
	"%[2]d セッション中 %[1]d は観察された時間がなく、数えていません。",
	"そのうち %[1]d では、フレームの間隔が stale（%[2]v）より長くなっています。",
	"「あり」の区間 %[1]d 件にはフレームがなく、数えていません。",
	"%[1]d セッションは「あり」が5分の1を超えるため、ドリルとして扱います。勤務時間に数えるのは「なし」の時間だけです。",
	"より短い間隔のフレーム：%[1]d セッションで間隔が stale（%[2]v）より長く、この設定の警報では判断できません。",
	"事象（「あり」の区間）があと %[1]d 件：現在 %[2]d 件、最低 %[3]d 件が必要です。見逃しの割合を知るには 30～60 件が目安です。",
	"セッションがあと %[1]d：観察された時間のあるものは %[2]d、最低 %[3]d が必要です。しきい値は、選ぶのに使わなかったセッションで評価するためです。",
	"「なし」と分かっている観察時間：これがないと誤警報を数えられません。",
	"1勤務あたりの事象の数：どのセッションも、ドリルのように「あり」が5分の1を超えるため、分かりません（-events-per-shift で指定）。",
	"信号の値：「あり」の間、または「なし」の間、すべて不明（Unknown）です。",
	"1勤務あたりの誤警報が %[1]v 件以下とは、95 %% の確かさで言えません。%[5]v 時間で %[2]v 件（%[3]v～%[4]v）でした。このまま続くなら、あと約 %.0[6]f 時間必要です。",
	"1勤務あたりの誤警報が %[1]v 件以下とは、95 %% の確かさで言えません。%[5]v 時間で %[2]v 件（%[3]v～%[4]v）でした。時間を増やしても変わりません。別の信号、より長い遅延、または別の許容値が必要です。",
	"1勤務あたりの誤警報が %[1]v 件以下とは、95 %% の確かさで言えません。%[5]v 時間で %[2]v 件（%[3]v～%[4]v）でした。",
	"選ぶためのセッション：この %[1]d では、見つかる警報の費用が、可能な最良のものより最大 %.0[2]f %% 高いおそれがあります（許容は %[3]v %%）。同様のものがあと約 %.0[4]f 必要です。",
	"より多くを語る信号：警報がまったくない場合の費用は1勤務あたり %[1]v、この警報では %[2]v です。",
}

// tell gives a sentence of the search in a language.
func tell(s tune.Said, lang int) string {
	if lang == 1 {
		return fmt.Sprintf(sentencesJa[s.Sentence], s.Values...)
	}
	return s.String()
}

// language is the place of a language in texts.
func language(name string) (int, error) {
	for i, l := range Languages {
		if l == name {
			return i, nil
		}
	}
	return 0, fmt.Errorf("no report in %q; allowed: en, ja", name)
}
