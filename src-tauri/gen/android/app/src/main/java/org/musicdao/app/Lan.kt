package org.musicdao.app

import android.content.Context
import android.net.wifi.WifiManager

/** Lets the multicast through by which peers on the LAN find each other; it costs battery, so not for longer than needed. */
class Lan(context: Context) {
  private val wifi = context.applicationContext.getSystemService(Context.WIFI_SERVICE) as? WifiManager
  private val lock = wifi?.createMulticastLock("musicdao:lan")?.apply { setReferenceCounted(false) }

  fun open() {
    lock?.acquire()
  }

  fun close() {
    if (lock?.isHeld == true) lock.release()
  }
}
