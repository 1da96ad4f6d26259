package org.musicdao.app

import android.app.Activity
import app.tauri.annotation.Command
import app.tauri.annotation.InvokeArg
import app.tauri.annotation.TauriPlugin
import app.tauri.plugin.Channel
import app.tauri.plugin.Invoke
import app.tauri.plugin.Plugin

@InvokeArg
class ListenArgs {
  lateinit var handler: Channel
}

/** The bridge to the Rust side: it shows here how the player is and hears here what the system asks for. */
@TauriPlugin
class PlaybackPlugin(private val activity: Activity) : Plugin(activity) {
  private val lan = Lan(activity)

  /** Takes the channel on which the system's wishes are sent, as the Api's player commands. */
  @Command
  fun listen(invoke: Invoke) {
    Player.commands = invoke.parseArgs(ListenArgs::class.java).handler
    invoke.resolve()
  }

  /** Shows the player's state, as the Api has it. */
  @Command
  fun show(invoke: Invoke) {
    val shown = Shown.of(invoke.getArgs())
    activity.runOnUiThread { PlaybackService.show(activity.applicationContext, shown) }
    invoke.resolve()
  }

  override fun onResume() = lan.open()

  override fun onPause() = lan.close()
}
